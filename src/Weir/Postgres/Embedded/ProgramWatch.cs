using Microsoft.Extensions.Logging;

namespace Weir.Postgres.Embedded;

/// <summary>
/// Notices that PostgreSQL's programs are no longer those that the running server was started from: its package was upgraded. The server
/// goes on with what it has in memory; what it would load now is of another build.
/// </summary>
/// <param name="every">Time between two looks. A change counts when two looks in a row find the same, because a package comes file by
/// file.</param>
/// <param name="tryOut">Tries whether the programs work; null, or why they do not. A server that runs is not ended for programs that would
/// not.</param>
internal sealed class ProgramWatch(
    PostgresBinaries binaries, TimeSpan every, Func<CancellationToken, Task<string?>> tryOut, ILogger logger, TimeProvider time)
{
    /// <summary>Programs that failed are tried again after so many looks.</summary>
    private const int LooksBetweenTrials = 6;

    private string _started = "";

    /// <summary>
    /// To be called before the server is started: what is replaced meanwhile costs one restart too many, and none is missed.
    /// </summary>
    public async Task RememberAsync(CancellationToken ct) => _started = await IdentityAsync(ct);

    /// <summary>
    /// Ends when other programs of the same major version are whole in their place. Those of another one, or that do not run, are said
    /// once: they cannot run this cluster.
    /// </summary>
    /// <exception cref="OperationCanceledException">Nobody waits for it any more.</exception>
    public async Task ReplacedAsync(CancellationToken ct)
    {
        var (last, tried, looks) = (_started, _started, 0);
        string? said = null;
        while (true)
        {
            await Task.Delay(every, time, ct);
            var now = await IdentityAsync(ct);
            var isWhole = now == last;
            last = now;
            // What failed is tried again now and then: a library beside these files may have come later, or a disk was full.
            if (!isWhole || now == _started || (now == tried && ++looks % LooksBetweenTrials != 0))
            {
                continue;
            }

            if (await ProblemAsync(ct) is not { } problem)
            {
                return;
            }

            tried = now;
            if (problem != said)
            {
                said = problem;
                logger.LogError(
                    "PostgreSQL's programs in {Directory} were replaced, and cannot run this database: {Problem}. The running server stays "
                    + "as it is, and could not be started again. Install PostgreSQL {Major} again.",
                    binaries.Directory, problem, binaries.Major);
            }
        }
    }

    private async Task<string?> ProblemAsync(CancellationToken ct) =>
        await PostgresBinaries.ProbeAsync(binaries.Directory, binaries.LibraryPath, major: null, ct) is not { } found ? "they do not run"
        : found.Major != binaries.Major ? $"they are PostgreSQL {found.Major}, and the database is of PostgreSQL {binaries.Major}"
        : await tryOut(ct);

    /// <summary>
    /// Which files they are, for each its device, inode, time and size. Not their directory: another extension that is installed there
    /// changes nothing of the server.
    /// </summary>
    private async Task<string> IdentityAsync(CancellationToken ct)
    {
        var files = EmbeddedPostgresOptions.Preloaded
            .SelectMany(library => new[] { $"../lib/{library}.so", $"../lib/postgresql/{library}.so" })
            .Select(path => Path.Combine(binaries.Directory, path))
            .Prepend(binaries.Postgres);
        // A file that is not there is left out of the output, which says as much.
        return (await Tool.RunAsync("stat", ["-L", "-c", "%n %d:%i:%y:%s", .. files], ct)).Output;
    }
}
