/** Runs the command as a user does: in a process and a folder of its own. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The program that npm calls `sterna`. */
export const command = fileURLToPath(new URL('../../../bin/sterna.js', import.meta.url))

/** Small enough that training takes a second. */
export const TINY_DATA = 'glyphs:train=300,test=100'

export interface Finished {
  /** The exit code, or the signal's name. */
  readonly status: number | string
  readonly stdout: string
  readonly stderr: string
}

/** A command in progress; `onError` sees its stderr as it comes. */
export function start(
  folder: string,
  words: readonly string[],
  onError: (text: string, child: ChildProcess) => void = () => {},
): Promise<Finished> {
  const { STERNA_DATA: _, DEBUG: __, ...environment } = process.env
  const child = spawn(process.execPath, [command, ...words], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => {
    stdout += chunk
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
    onError(stderr, child)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ status: code ?? signal ?? 'unknown', stdout, stderr }))
  })
}

/** A command line, split at blanks. */
export function sterna(folder: string, line: string): Promise<Finished> {
  return start(folder, line.split(' '))
}

/** The object that a command line, which must succeed, prints with --json. */
export async function sternaJson(folder: string, line: string) {
  const { status, stdout, stderr } = await sterna(folder, `${line} --json`)
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

/** A fresh folder that goes away with the process. */
export function createFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sterna-cli-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
