// Elements in one line: h("button", {type: "submit", "data-action": "place"}, "Place order").

export type Child = Node | string | null;

export function h<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Record<string, string | boolean> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter((child): child is Node | string => child !== null));
  return element;
}
