/** The process: streams, exit code. */
import { runProgram } from './program.ts'

// A reader that has seen enough (`| head`) closes the pipe; that is no failure of the command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`error: cannot write to stdout: ${error.message}\n`)
  process.exit(1)
})

process.exitCode = await runProgram(process.argv.slice(2))
