/** From whatever was thrown to a message and an exit code. */
import { CommanderError } from 'commander'
import { SternaError, type SternaErrorCode } from '../core/index.ts'
import type { Output } from './output.ts'

/** 0: done. 1: failed. 2: the command was used wrongly. */
export type ExitCode = 0 | 1 | 2

/** Failures that another command line would avoid. */
const wrongUse: ReadonlySet<SternaErrorCode> = new Set([
  'usage/option',
  'usage/input',
  'train/config',
  'quantizer/option',
  'model/unknown',
])

/** Prints what went wrong; a stack only for defects of Sterna and only with DEBUG set. */
export function reportFailure(error: unknown, output: Output): ExitCode {
  if (error instanceof CommanderError) return reportParserFailure(error, output)
  if (error instanceof SternaError) {
    const { code, message, hint } = error
    output.failure({ code, message, ...(hint !== undefined && { hint }) })
    if (process.env.DEBUG && error.cause !== undefined) process.stderr.write(`${stackOf(error.cause)}\n`)
    return wrongUse.has(code) ? 2 : 1
  }
  output.failure({
    code: 'internal',
    message: `a defect of sterna: ${error instanceof Error ? error.message : String(error)}`,
    hint: process.env.DEBUG
      ? 'please report it with the lines below'
      : 'please report it with what DEBUG=1 prints',
  })
  if (process.env.DEBUG) process.stderr.write(`${stackOf(error)}\n`)
  return 1
}

/** The parser has printed help and version itself; its complaints get our form. */
function reportParserFailure(error: CommanderError, output: Output): ExitCode {
  if (error.exitCode === 0) return 0
  // A command group without a subcommand: its help is on stderr already.
  if (error.code === 'commander.help') return 2
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n')
  output.failure({
    code: 'usage/option',
    message: message.replace(/\.$/, ''),
    hint:
      suggestion?.replace(/^\(Did you mean (.*)\?\)$/, 'did you mean $1?') ??
      'add --help to see how it is used',
  })
  return 2
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
