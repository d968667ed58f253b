/**
 * What is deployed, in one process: to load CDK and to bundle the functions takes longer than many of these tests. The
 * first of them tell of the last five minutes and do not wait for the others.
 */
import "./bundles.ts";
import "./exact.ts";
