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
    const write = new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "medium" });
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.textContent;
      time.textContent = write.format(at);
      time.dataset.local = "";
    }
  };

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

  // --- After every change of the page ------------------------------------------------------------------------------------------

  const settle = (root) => {
    document.documentElement.classList.add("scripted");
    localise(root);
  };

  document.addEventListener("htmx:afterSettle", (event) => {
    settle(document);
    if (event.detail.target !== document.body) return;
    const content = main();
    document.documentElement.lang = content?.dataset.language || "en";
    if (content?.dataset.title) document.title = `${content.dataset.title} · Postrider`;
    content?.focus({ preventScroll: true });
    window.dispatchEvent(new Event("postrider:screen"));
  });
  settle(document);
})();
