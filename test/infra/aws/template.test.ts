/**
 * The settings of the template that carry a promise, part by part. In one process: to synthesise what they look at takes
 * longer than to look.
 */
import "./template/data.ts";
import "./template/distribution.ts";
import "./template/door.ts";
import "./template/functions.ts";
import "./template/options.ts";
import "./template/readers.ts";
import "./template/watching.ts";
