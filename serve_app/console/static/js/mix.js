// One object out of several; unlike spreading, getters stay getters.

export function mix(...parts) {
  const whole = {};
  for (const part of parts) {
    Object.defineProperties(whole, Object.getOwnPropertyDescriptors(part));
  }
  return whole;
}
