// Keeps ages fresh, says whether the page is live, and answers the keyboard. Everything works without it, but for that.
(() => {
  "use strict";

  // --- ages, as the server writes them (execloop/resource/times.py)
  const span = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds)), hours = Math.floor(whole / 3600);
    if (whole < 120) return `${whole}s`;
    if (whole < 10800) return `${Math.floor(whole / 60)}m`;
    if (whole >= 172800) return `${Math.floor(whole / 86400)}d`;
    const minutes = Math.floor((whole % 3600) / 60);
    return minutes && hours < 10 ? `${hours}h${minutes}m` : `${hours}h`;
  };
  const refresh = () => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      const past = "due" in time.dataset ? "due" : span(seconds);
      const text = seconds >= 0 ? past : `in ${span(-seconds)}`;
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(refresh, 1000);

  // --- the stream: the server sends something every 5 seconds; a longer silence is a cut connection
  const mark = document.getElementById("live-mark");
  const streams = () => document.querySelectorAll("[hx-sse\\:connect]");
  let heard = Date.now(), connection = null;
  const say = (is, text) => {
    if (!mark || mark.dataset.is === is) return;
    mark.dataset.is = is;
    mark.textContent = text;
  };
  const over = () => {
    if (!document.querySelector("#live [data-ended]")) return;
    for (const source of streams()) source.remove();
    say("ended", "ended");
  };
  const live = () => { heard = Date.now(); say("live", "live"); };
  const cut = () => { if (mark?.dataset.is !== "ended") say("cut", "reconnecting"); };
  document.addEventListener("htmx:sse:after:connection", (event) => { connection = event.detail.connection; live(); });
  document.addEventListener("htmx:sse:before:message", (event) => {
    heard = Date.now();
    if (event.detail.message.event === "trouble") say("cut", "the API server does not answer");
    else live();
  });
  document.addEventListener("htmx:sse:after:message", () => { refresh(); over(); });
  document.addEventListener("htmx:sse:error", (event) => {
    if ([401, 403, 404].includes(event.detail.status)) location.reload();
    else cut();
  });
  const again = (event) => {
    const source = event.target;
    if (!(source instanceof Element) || !source.matches("[hx-sse\\:connect]")) return;
    if ([401, 403, 404].includes(event.detail.ctx?.response?.status)) { location.reload(); return; }
    cut();
    setTimeout(() => { if (source.isConnected) htmx.trigger(source, "again"); }, 2000);
  };
  document.addEventListener("htmx:error", again);
  document.addEventListener("htmx:response:error", again);
  setInterval(() => {
    if (!mark || document.hidden || !streams().length || Date.now() - heard < (connection ? 12000 : 3000)) return;
    cut();
    heard = Date.now();
    if (connection) connection.reader?.cancel();
    else for (const source of streams()) htmx.trigger(source, "again");
  }, 1000);
  if (mark && !streams().length && mark.dataset.is === "waiting") mark.hidden = true;

  // --- the keyboard
  const links = () => [...document.querySelectorAll(".c-name a")];
  const move = (step) => {
    const all = links(), at = all.indexOf(document.activeElement);
    (all[Math.min(all.length - 1, Math.max(0, at + step))] ?? all[0])?.focus();
  };
  const keys = {
    "/": () => document.getElementById("q")?.select() ?? document.getElementById("q")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    u: () => document.getElementById("up")?.click(),
    "?": () => document.getElementById("keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea, dialog")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
})();
