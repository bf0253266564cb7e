using System.Diagnostics;

namespace Weir.Postgres.Embedded;

/// <summary>
/// A server process that cannot outlive Weir: a small shell holds a pipe from us, and when that ends, for whatever reason, it
/// tells the server to stop. It has its own session, so that Ctrl-C in the terminal reaches Weir alone and Weir ends
/// the server last.
/// </summary>
internal sealed class Lifeline : IDisposable
{
    // The reader is stopped before the shell goes, so that it can never signal a process id that is somebody else's by then. It says
    // stop until the server is gone: a shell starts what runs beside it with SIGINT ignored, so one that comes before PostgreSQL
    // has set its own handler is lost.
    private const string Script = """
        exec 3<&0
        log=$1; shift
        exec >>"$log" 2>&1
        "$@" 3<&- </dev/null &
        server=$!
        (read -r _ <&3; while kill -INT "$server" 2>/dev/null; do sleep 0.2; done) &
        reader=$!
        wait "$server"; code=$?
        kill "$reader"
        exit "$code"
        """;

    private readonly Process _shell;

    private Lifeline(Process shell)
    {
        _shell = shell;
        Ended = shell.WaitForExitAsync();
    }

    /// <summary>Ends when the server has.</summary>
    public Task Ended { get; }

    public int ExitCode => _shell.ExitCode;

    public static Lifeline Start(ClusterUser user, PostgresBinaries binaries, string log, IEnumerable<string> arguments)
    {
        var start = user.Start("setsid", ["sh", "-c", Script, "sh", log, binaries.Postgres, .. arguments]);
        binaries.AddTo(start);
        start.RedirectStandardInput = true;
        return new Lifeline(Process.Start(start)!);
    }

    /// <summary>Asks for a fast shutdown: open transactions are rolled back, everything committed stays.</summary>
    public void LetGo() => _shell.StandardInput.Close();

    public void Dispose()
    {
        LetGo();
        _shell.Dispose();
    }
}
