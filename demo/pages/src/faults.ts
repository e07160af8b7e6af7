// Wrong turns that the demo can switch on in the pages, asked for anew at each click.
import { poll } from "./act";

let ways = new Set<string>();

export async function refreshFaults(): Promise<void> {
  try {
    ways = new Set((await poll<{ faults: string[] }>("faults.json")).faults);
  } catch {
    // An API that is away: what is known stays. The click itself will tell the person.
  }
}

export function isOn(way: string): boolean {
  return ways.has(way);
}
