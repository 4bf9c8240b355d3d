/** The `sterna` command: its subcommands, their help pages and how a command line ends. */
import { Command } from 'commander'
import { benchCommand } from './commands/bench.ts'
import { compareCommand } from './commands/compare.ts'
import { dataCommand } from './commands/data.ts'
import { diffCommand } from './commands/diff.ts'
import { evalCommand } from './commands/eval.ts'
import { exportCommand } from './commands/export.ts'
import { inspectCommand } from './commands/inspect.ts'
import { packCommand } from './commands/pack.ts'
import { quickstartCommand } from './commands/quickstart.ts'
import { runCommand } from './commands/run.ts'
import { trainCommand } from './commands/train.ts'
import { type ExitCode, reportFailure } from './failure.ts'
import { Output } from './output.ts'
import { versions } from './versions.ts'

/** Runs a command line (without `node sterna`); prints its own failures. */
export async function runProgram(words: readonly string[]): Promise<ExitCode> {
  const program = createProgram()
  try {
    await program.parseAsync([...words], { from: 'user' })
    return 0
  } catch (error) {
    // The parser may have failed before it read the options.
    return reportFailure(error, new Output({ json: words.includes('--json') }))
  }
}

const commands = [
  quickstartCommand,
  trainCommand,
  compareCommand,
  evalCommand,
  packCommand,
  inspectCommand,
  diffCommand,
  exportCommand,
  runCommand,
  dataCommand,
  benchCommand,
] as const

export function createProgram(): Command {
  const program = new Command('sterna')
    .description('Sparse ternary neural networks: train, ternarize, pack, run.')
    .version(versions.sterna, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show what a command does')
    .helpCommand(false)
    .enablePositionalOptions()
    .addHelpText(
      'after',
      '\nEach command has its own --help with an example. Start here:\n  sterna quickstart',
    )
  for (const create of commands) program.addCommand(create())
  settle(program)
  return program
}

/** What commander keeps per command: throw instead of exiting, our own error texts, help 90 wide. */
function settle(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ outputError: () => {}, getOutHelpWidth: () => 90, getErrHelpWidth: () => 90 })
    .configureHelp({ showGlobalOptions: false })
    .helpOption('-h, --help', 'show this page')
  for (const child of command.commands) settle(child)
}
