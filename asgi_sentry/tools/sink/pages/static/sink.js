// What a page does beside being read: it follows what arrives, copies, and moves by keyboard. Each works without the others.
"use strict";
(() => {
  const body = document.body;
  const told = document.getElementById("told");
  let quiet;
  const tell = (words) => {
    told.textContent = words;
    clearTimeout(quiet);
    quiet = setTimeout(() => { told.textContent = ""; }, 1800);
  };

  // -- copying ---------------------------------------------------------------------------------
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "hidden";
      body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const done = await copied(button.dataset.copy);
    button.focus();
    tell(done ? "Copied" : "The browser did not allow it");
  });

  // -- two payloads ----------------------------------------------------------------------------
  const toggle = document.querySelector("[data-toggle]");
  if (toggle) {
    const show = () => body.classList.toggle("show-same", toggle.checked);
    toggle.addEventListener("change", show);
    show();
  }
  const filters = document.querySelector("form.filters");
  if (filters) {
    for (const select of filters.querySelectorAll("select")) select.addEventListener("change", () => filters.requestSubmit());
  }

  // -- the keyboard ----------------------------------------------------------------------------
  const rows = () => [...document.querySelectorAll(".items a")];
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "Escape" && typing) typing.blur();
    if (typing) return;
    const search = document.getElementById("search");
    if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "j" || event.key === "k") {
      const all = rows();
      if (!all.length) return;
      const at = all.indexOf(document.activeElement);
      const next = at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + (event.key === "j" ? 1 : -1)));
      all[next].focus();
      event.preventDefault();
    }
  });

  // -- following what arrives ------------------------------------------------------------------
  const button = document.getElementById("live");
  if (!button || body.dataset.live !== "on") return;
  let version = body.dataset.version;
  const following = () => button.getAttribute("aria-pressed") === "true" && !document.hidden;
  const opened = (part) => new Set([...part.querySelectorAll("details[open] > summary")].map((s) => s.textContent));
  const renew = async () => {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" }, cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    version = fresh.body.dataset.version;
    const held = document.activeElement;
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const next = fresh.getElementById(part.id);
      if (!next || next.outerHTML === part.outerHTML) continue;
      if (part.contains(held) && held.matches("input, select, textarea")) continue; // somebody is typing there
      const open = opened(part);
      const scrolled = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
      const adopted = document.importNode(next, true);
      for (const summary of adopted.querySelectorAll("summary")) if (open.has(summary.textContent)) summary.parentNode.open = true;
      part.replaceWith(adopted);
      adopted.querySelectorAll(".scroll").forEach((one, number) => { one.scrollLeft = scrolled[number] || 0; });
    }
    if (held && held.id && !held.isConnected) document.getElementById(held.id)?.focus({ preventScroll: true });
    button.classList.remove("fresh");
    void button.offsetWidth;
    button.classList.add("fresh");
  };
  const ask = async () => {
    if (following()) {
      try {
        const answer = await fetch("/version", { cache: "no-store" });
        if (answer.ok && (await answer.text()) !== version) await renew();
      } catch {
        button.title = "The sink does not answer";
      }
    }
    setTimeout(ask, 1000);
  };
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    tell(on ? "Following what arrives" : "Paused");
  });
  setTimeout(ask, 1000);
})();
