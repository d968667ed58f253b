/** Starts servers as processes of their own, loads them over plain sockets, and says what processor time that took them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";

export interface Target {
  readonly port: number;
  readonly pid: number;
  close(): Promise<void>;
}

/** Starts servers/NAME.ts, which prints its port first. */
export async function startTarget(name: "plain" | "ingest", ...args: string[]): Promise<Target> {
  const file = fileURLToPath(new URL(`servers/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  return { port: Number(line), pid: child.pid!, close: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await ended;
}

/** Processor milliseconds of a process so far, in steps of 10 (Linux). */
export function processMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return (Number(user) + Number(system)) * 10;
}

/** Resident memory of a process, MB (Linux). */
export const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) / 1024;

/** The most memory that was resident in a process so far, MB (Linux). */
export const peakMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) / 1024;

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly requests: number;
  /** The bytes of request number i. */
  readonly request: (i: number) => string;
  /** Requests a second, all connections together. Default: as fast as they are answered. */
  readonly rate?: number;
}

/** Posts over keep-alive connections, each as soon as the one before is answered; throws on anything but 2xx. Resolves with milliseconds. */
export async function load({ port, connections, requests, request, rate }: LoadOptions): Promise<number> {
  let next = 0;
  const startedAt = performance.now();
  const lane = (): Promise<void> =>
    new Promise((done, fail) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      const send = (): void => {
        if (next >= requests) {
          socket.end();
          done();
          return;
        }
        const i = next++;
        const wait = rate ? startedAt + (i * 1_000) / rate - performance.now() : 0;
        if (wait > 1) setTimeout(() => socket.write(request(i)), wait);
        else socket.write(request(i));
      };
      socket.on("connect", send).on("error", fail);
      // Answers are one small packet without a body worth reading.
      socket.on("data", (chunk) => {
        if (chunk[9] === 0x32) send();
        else fail(new Error(chunk.toString()));
      });
    });
  await Promise.all(Array.from({ length: connections }, lane));
  return performance.now() - startedAt;
}

/** A POST of JSON as a browser sends it. */
export function postOf(path: string, body: string, agent: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ${agent}\r\nOrigin: https://shop.example\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
