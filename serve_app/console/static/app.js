// The page's beginning: teaches Alpine our words, finds out who is here, shows the view.

import Alpine from "./vendor/alpine/alpine-csp.esm.min.js";
import { confirmPart, toastsPart } from "./js/dialogs.js";
import { teachDirectives } from "./js/directives.js";
import * as format from "./js/format.js";
import { preferred, speak, teach } from "./js/i18n.js";
import { learn, session } from "./js/session.js";
import { shellPart } from "./js/shell.js";
import { theme, wear } from "./js/theme.js";
import { follow } from "./js/views.js";
import { alertsPart } from "./js/views/alerts.js";
import { cachePart } from "./js/views/cache.js";
import { costsPart } from "./js/views/costs.js";
import { keysPart } from "./js/views/keys.js";
import { livePart } from "./js/views/live.js";
import { loginPart } from "./js/views/login.js";
import { playgroundPart } from "./js/views/playground.js";
import { tasksPart } from "./js/views/tasks.js";

const PARTS = {
  shell: shellPart,
  login: loginPart,
  confirm: confirmPart,
  toasts: toastsPart,
  live: livePart,
  playground: playgroundPart,
  costs: costsPart,
  keys: keysPart,
  cache: cachePart,
  tasks: tasksPart,
  alerts: alertsPart,
};

wear(theme());
teach();
teachDirectives();
Alpine.magic("f", () => format);
for (const [name, part] of Object.entries(PARTS)) Alpine.data(name, part);

follow();
await learn().catch(() => {
  session.known = true;
});
await speak(preferred(session.language));
Alpine.start();
