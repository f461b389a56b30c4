#!/usr/bin/env bash
# What kube-proxy's image needs besides kube-proxy: iptables, nft, conntrack and their libraries, out of a Debian root.
# usage: proxy-root.sh DEBIAN TARGET
set -euo pipefail
debian=$1 target=$2
mkdir -p "$target"/usr/{bin,sbin,lib,lib64,local/bin} "$target"/{tmp,run,etc}
for folder in bin sbin lib lib64; do ln -s usr/$folder "$target/$folder"; done
plugins=$(cd "$debian" && echo usr/lib/*/xtables)
mkdir -p "$target/${plugins%/*}" && cp -a "$debian/$plugins" "$target/$plugins"
for program in usr/sbin/xtables-nft-multi usr/sbin/nft usr/sbin/conntrack usr/bin/dash "$plugins/libxt_statistic.so"; do
  cp -Lu "$debian/$program" "$target/$program"
  for library in $(chroot "$debian" ldd "/$program" | grep -o '/[^ ]*'); do
    mkdir -p "$target$(dirname "$library")"
    cp -Lu "$debian$library" "$target$library"
  done
done
for name in ip{,6}tables{,-save,-restore}; do ln -s xtables-nft-multi "$target/usr/sbin/$name"; done
ln -s dash "$target/usr/bin/sh"
