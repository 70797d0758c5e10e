// What screens do beyond HTML. Every screen can be read without it on the dashboard's own pages.
"use strict";
(() => {
  // In a frame: the session, which lives nowhere else. Browsers keep no cookies there.
  let session = null;
  let language = null;
  const main = () => document.getElementById("main");

  // --- In a frame: every link and form goes by way of htmx, with the session in a header -------------------------------------

  const open = (path) => window.htmx.ajax("GET", path, { target: "body", swap: "innerHTML show:top" });

  window.postrider = {
    begin(begun) {
      session = begun.token;
      language = begun.language;
      const body = document.body;
      body.classList.add("framed");
      body.setAttribute("hx-boost", "true");
      body.setAttribute("hx-push-url", "false");
      window.htmx.process(body);
      open(begun.next);
    },
  };

  document.addEventListener("htmx:configRequest", (event) => {
    const headers = event.detail.headers;
    if (session) headers["Authorization"] = `Bearer ${session}`;
    if (language) headers["X-Postrider-Language"] = language;
  });

  // --- Language ---------------------------------------------------------------------------------------------------------------

  document.addEventListener("change", (event) => {
    if (event.target.id !== "language") return;
    if (!session) return event.target.form.requestSubmit();
    language = event.target.value;
    open(main().dataset.path);
  });

  // --- Times: written in UTC by the server, shown in the viewer's own zone ---------------------------------------------------

  const localise = (root) => {
    const tag = main()?.dataset.language || "en";
    const full = new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "medium" });
    const hour = new Intl.DateTimeFormat(tag, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.textContent;
      time.textContent = (time.dataset.as === "hour" ? hour : full).format(at);
      time.dataset.local = "";
    }
  };

  // Fields for a moment: UTC to the server, the viewer's own zone to the viewer.
  const localiseFields = (root) => {
    for (const field of root.querySelectorAll("input[data-utc]:not([data-local])")) {
      const at = new Date(`${field.defaultValue}Z`);
      if (!Number.isNaN(at.getTime())) field.value = new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
      field.dataset.local = "";
    }
  };

  document.addEventListener("formdata", (event) => {
    for (const field of event.target.querySelectorAll("input[data-utc][data-local]")) {
      const at = new Date(field.value);
      if (!Number.isNaN(at.getTime())) event.formData.set(field.name, at.toISOString());
    }
  });

  // How long something lasts still, in the two largest units that fit, as the server writes it.
  const lasting = (seconds, tag) => {
    const days = seconds >= 2 * 86_400 ? Math.floor(seconds / 86_400) : 0;
    const hours = Math.floor((seconds - days * 86_400) / 3_600);
    const minutes = Math.floor((seconds % 3_600) / 60);
    const all = [["day", days], ["hour", hours], ["minute", minutes], ["second", Math.floor(seconds % 60)]];
    const first = all.findIndex(([, number]) => number > 0);
    const unit = ([unit, number]) => new Intl.NumberFormat(tag, { style: "unit", unit, unitDisplay: "long" }).format(number);
    const shown = all.slice(first < 0 ? 3 : first).slice(0, 2).filter(([, number], at) => at === 0 || number > 0);
    return new Intl.ListFormat(tag, { type: "conjunction" }).format(shown.map(unit));
  };

  const countDown = () => {
    const tag = main()?.dataset.language || "en";
    for (const place of document.querySelectorAll("[data-countdown]")) {
      const left = Math.floor((new Date(place.dataset.countdown) - Date.now()) / 1000);
      if (!Number.isNaN(left)) place.textContent = lasting(Math.max(0, left), tag);
    }
  };
  setInterval(countDown, 1000);

  // --- Copying ----------------------------------------------------------------------------------------------------------------

  const say = (text) => {
    const spoken = document.getElementById("spoken");
    if (spoken) spoken.textContent = text;
  };

  // Without the clipboard's permission, as in most frames, a selection is copied.
  const copy = async (source) => {
    const text = source.value ?? source.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      source.closest("details")?.setAttribute("open", "");
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      document.execCommand("copy");
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await copy(document.getElementById(button.dataset.copy));
    const was = button.textContent;
    button.textContent = main().dataset.copied;
    say(main().dataset.copied);
    setTimeout(() => (button.textContent = was), 2000);
  });

  // --- Dialogs: a button opens the one it names -----------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  });

  // --- What is live asks again, while somebody can see it ----------------------------------------------------------------------

  const TICK_MS = 2000;
  setInterval(() => {
    if (document.visibilityState !== "visible") return;
    for (const live of document.querySelectorAll("[data-live]")) window.htmx.trigger(live, "tick");
  }, TICK_MS);

  // What is the same stays in its place, so that focus, selection and scroll do too. Rows and parts that differ have another version.
  const exchange = (held, fresh) => {
    const focused = held.contains(document.activeElement) && document.activeElement.id;
    held.replaceWith(fresh);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };
  const differs = (held, fresh) => held && held.dataset.version !== fresh.dataset.version;

  const mergeRows = (held, fresh) => {
    const known = new Set([...fresh.children].map((row) => row.id));
    for (const row of [...held.children]) if (!known.has(row.id) && !row.contains(document.activeElement)) row.remove();
    let place = held.firstElementChild;
    for (const row of [...fresh.children]) {
      while (place && !known.has(place.id)) place = place.nextElementSibling;
      if (place?.id !== row.id) {
        held.insertBefore(row, place);
        continue;
      }
      const next = place.nextElementSibling;
      if (differs(place, row)) exchange(place, row);
      place = next;
    }
  };

  const merge = (live, text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const rows = (root) => root.querySelector("[data-rows]");
    if (rows(live) && rows(fresh)) mergeRows(rows(live), rows(fresh));
    else if (rows(live) || rows(fresh)) live.replaceChildren(...fresh.getElementById(live.id).childNodes);
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const held = document.getElementById(part.id);
      // Whoever reads what is unfolded is not disturbed.
      if (differs(held, part) && !held.querySelector("details[open]")) exchange(held, part);
    }
    window.htmx.process(document.body);
    localise(document);
  };

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    const piece = requestConfig.elt;
    if (!piece.matches("[data-live], [data-held]")) return;
    // The visit has ended: that is said once, in the place of the whole page.
    if (xhr.status === 401) return;
    if (xhr.status === 200 && !piece.matches("[data-merge]")) return;
    event.detail.shouldSwap = false;
    if (xhr.status === 200) merge(piece, xhr.responseText);
    // Whoever may not see it any more need not ask again.
    else if (xhr.status < 500 && xhr.status !== 429) piece.removeAttribute("data-live");
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-hold]");
    const piece = button && document.getElementById(button.dataset.hold);
    if (!piece) return;
    piece.toggleAttribute("data-live");
    piece.toggleAttribute("data-held", !piece.hasAttribute("data-live"));
    [button.textContent, button.dataset.other] = [button.dataset.other, button.textContent];
  });

  // --- After every change of the page ------------------------------------------------------------------------------------------

  const settle = (root) => {
    document.documentElement.classList.add("scripted");
    localise(root);
    localiseFields(root);
    countDown();
    for (const here of document.querySelectorAll("nav ul [aria-current=page]")) {
      const list = here.closest("ul");
      const [line, entry] = [list.getBoundingClientRect(), here.getBoundingClientRect()];
      list.scrollLeft += entry.left - line.left - (line.width - entry.width) / 2;
    }
  };

  document.addEventListener("htmx:afterSettle", (event) => {
    settle(document);
    if (event.detail.target !== document.body) return;
    const content = main();
    document.documentElement.lang = content?.dataset.language || "en";
    if (content?.dataset.title) document.title = `${content.dataset.title} · Postrider`;
    // Only documents follow `autofocus` by themselves: what is wrong with a form comes first.
    (content?.querySelector("[autofocus]") ?? content)?.focus({ preventScroll: true });
    window.dispatchEvent(new Event("postrider:screen"));
  });
  settle(document);
})();
