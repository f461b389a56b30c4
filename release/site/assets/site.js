// A block that scrolls can be reached with the keyboard; one that does not is no stop on the way.
(() => {
  "use strict";
  const reach = () => {
    for (const block of document.querySelectorAll("pre > code, .md-typeset__scrollwrap, .md-typeset p")) {
      if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
      else block.removeAttribute("tabindex");
    }
  };
  addEventListener("load", reach);
  addEventListener("resize", reach);
})();
