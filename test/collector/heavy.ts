/** A page of ordinary weight: 1,500 elements, styles, images, and a script of its own that is always busy with the layout. */
import { page, TAG } from "./receiver.ts";

const STYLE = `<meta name="viewport" content="width=device-width"><style>
  .card { display: inline-block; width: 18em; margin: 1em; padding: 1em; border: 1px solid #999 }
  .card:hover { background: #eee } img { width: 40px; height: 40px; float: left }</style>`;
const IMAGE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'%3E%3Ccircle r='9'/%3E%3C/svg%3E";
/** Makes the layout stale on every click, key and scroll, before anybody else listens: whoever then reads it pays. */
const BUSY = `<script>for (const name of ["click", "keydown", "scroll", "visibilitychange", "pagehide", "popstate"])
  addEventListener(name, () => { document.body.style.paddingTop = Math.random() * 9 + "px" }, true)</script>`;

export const heavyPage = (tag = TAG): string =>
  page(
    `<button id="plain">b</button> <button id="marked" data-event="like">b</button> <a id="out" href="http://127.0.0.2:9/x">out</a>
    ${Array.from({ length: 300 }, (_, i) => `<div class="card"><img src="${IMAGE}" alt=""><h2>Card ${i}</h2><p>Text of <b>some</b> length.</p></div>`).join("")}
    <script>addEventListener("click", (event) => event.target.closest("a") && event.preventDefault())</script>`,
    { tag, head: STYLE + BUSY },
  );
