// A part of the page that is loaded when it is first shown.

import { signal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { useEffect } from "preact/hooks";

type Rest = typeof import("./rest");

const rest = signal<Rest | null>(null);
const failed = signal(false);

export function late<P extends object>(pick: (rest: Rest) => ComponentType<P>): (props: P) => JSX.Element {
  return function Late(props: P): JSX.Element {
    useEffect(() => {
      if (!rest.value) void import("./rest").then((found) => (rest.value = found), () => (failed.value = true));
    }, []);
    if (rest.value) {
      const Part = pick(rest.value);
      return <Part {...props} />;
    }
    return <p class="soft pad" role="status">{failed.value ? "This part of the page could not be loaded. Open the page again once agentsight-rx runs." : "loading …"}</p>;
  };
}
