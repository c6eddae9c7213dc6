// What is missing, and the way from the kernel to this page: at each place what arrived, what was kept, what went away and why.

import type { JSX } from "preact";
import { place } from "../address";
import type { HealthPage, Stage } from "../shapes";
import { askHere, version } from "../state";
import { clock, count, day, kept, plural, size } from "../words";
import { Go, Mark, Note, T, Ticked, useAsked } from "./bits";

export function Health(): JSX.Element {
  const { found, error } = useAsked((signal) => askHere<HealthPage>("health", {}, signal), [place.value.recording, version.value]);
  if (!found) return error ? <Note error={error} /> : <p class="soft">loading …</p>;
  return (
    <>
      <section aria-labelledby="h-missing">
        <h2 class="h" id="h-missing">What is missing</h2>
        {found.missing.length ? (
          <ul class="blind">
            {found.missing.map((each, at) => (
              <li key={at} id={`row-${each.stage}`} class={place.value.row === each.stage ? "sel" : ""}>
                <Mark cut />
                <div>
                  <b><T text={each.what} /></b>
                  <p>{each.since_ms ? `From ${clock(each.since_ms)} on. ` : ""}<Ticked text={each.why} /></p>
                  {each.do ? <p class="do"><Ticked text={each.do} /></p> : null}
                </div>
                {each.tab ? <Go to={{ tab: each.tab, turn: 0 }} class="link">Show</Go> : <span />}
              </li>
            ))}
          </ul>
        ) : found.whole.file ? <p class="whole"><span>It is from the agent's own file: nothing was captured, so nothing could be lost, and what the agent did not write down is not known.</span></p> : !found.whole.counted ? <p class="whole"><span>No loss was noted; places with ? were not counted.</span></p> : <p class="whole"><Mark /><span>Nothing{found.whole.state === "so_far" ? " so far" : ""}: each place below counted what came and what left.</span></p>}
      </section>
      <section aria-labelledby="h-way" class="gap-top">
        <h2 class="h" id="h-way">From the kernel to this page</h2>
        <div class="fh" aria-hidden="true"><span /><span>place</span><span>arrived</span><span>kept</span><span>what went away</span></div>
        <ol class="funnel">{found.stages.map((stage) => <Place key={stage.id} stage={stage} />)}</ol>
      </section>
      <div class="two">
        <section aria-labelledby="h-read">
          <h2 class="h" id="h-read">How it was read</h2>
          <ul class="reads">
            {found.reads.map((each, at) => (
              <li key={at}>
                {each.state === "not" ? <Mark cut /> : <span class="ok" aria-hidden="true">{each.state === "proven" ? "✓" : "…"}</span>}
                <div><b class={each.state === "not" ? "gap" : ""}><T text={each.title} /></b><p><T text={each.text} /></p></div>
                <span class="s">{each.side ?? ""}</span>
              </li>
            ))}
            {found.reads.length ? null : <li><span /><p class="soft">No traffic of a program was read in this recording.</p></li>}
          </ul>
        </section>
        <section aria-labelledby="h-rest">
          <h2 class="h" id="h-rest">Fields, filters, runs</h2>
          <dl class="pairs">
            <dt>fields not known</dt>
            <dd>{found.unknown.length ? found.unknown.map((each) => <p key={each.id}><T code text={`${each.provider}: ${each.field}`} /> in {plural(each.count, "call")}, <Go to={{ call: each.first_call_id }}>the first</Go></p>) : "none"}</dd>
            <dt>filters</dt>
            <dd>{found.filters.length ? found.filters.map((each) => <p key={each}><T text={each} />. Left out on request.</p>) : "no stage left anything out"}</dd>
            <dt>runs</dt>
            <dd>{found.runs.map(([start, end, done]) => <p key={start}>{day(start)} {clock(start)} to {clock(end)}{done ? "" : ", no end yet"}</p>)}</dd>
            {found.removed_before_ms ? <><dt>removed</dt><dd>what was before {day(found.removed_before_ms)} {clock(found.removed_before_ms)}, as --keep and --max-size ask</dd></> : null}
          </dl>
        </section>
      </div>
    </>
  );
}

function Place({ stage }: { stage: Stage }): JSX.Element {
  const lost = stage.lost ?? 0;
  const ratio = stage.kept;
  const name = lost ? "stage lost" : stage.asked ? "stage asked" : "stage";
  const arrived = stage.arrived === null || stage.arrived === undefined ? "?" : stage.id === "connections" || stage.id === "calls" ? !stage.before ? "none" : `${count(stage.arrived)} of ${count(stage.before ?? 0)}` : count(stage.arrived);
  return (
    <li class={name} id={`stage-${stage.id}`}>
      <div class="tr" role="img" aria-label={lost ? "something was lost here" : "whole"} />
      <div class="st">{stage.name}<small>{stage.what}</small></div>
      <div class="c">{arrived}</div>
      <div class="p">{ratio === null || ratio === undefined ? "" : lost ? <b>{kept(ratio)}</b> : kept(ratio)}</div>
      <div class="why-c why">
        {lost ? <b>{count(lost)} lost{stage.size ? `, ${size(stage.size)}` : ""}. </b> : null}
        {(stage.why ?? []).map((each) => <T key={each} text={`${each} `} />)}
        {lost || stage.asked ? null : "nothing"}
      </div>
    </li>
  );
}
