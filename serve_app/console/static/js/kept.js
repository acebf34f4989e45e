// Choices that the browser keeps for this page; nothing secret goes here.

const PREFIX = "serve-app.";

/** A choice kept before, else an empty text: storage may be switched off. */
export function kept(name) {
  try {
    return localStorage.getItem(PREFIX + name) ?? "";
  } catch {
    return "";
  }
}

export function keep(name, value) {
  try {
    if (value) localStorage.setItem(PREFIX + name, value);
    else localStorage.removeItem(PREFIX + name);
  } catch {
    // The choice holds for this visit then.
  }
}
