// Parts of the page that are loaded when they are first shown: a session opens with its conversation.

export { Compare } from "./ui/compare";
export { Context } from "./ui/context";
export { FirstRun } from "./ui/first";
export { Home } from "./ui/home";
export { Save } from "./ui/save";
export { AllSessions } from "./ui/sessions";
export { Timeline } from "./ui/timeline";
