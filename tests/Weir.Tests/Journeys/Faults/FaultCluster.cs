using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>
/// A PostgreSQL of the trial's own, which keeps what it has committed when its processes are killed. Its supervisor, the product's, starts
/// it again.
/// </summary>
public sealed class FaultCluster : TestCluster
{
    private string? _data;

    /// <summary>What has left a process is in the kernel, and only a power cut would lose that.</summary>
    private protected override IReadOnlyList<string> Settings => ["shared_buffers=64MB", "max_connections=100", "fsync=off", "jit=off"];

    /// <summary>SIGKILL or SIGTERM to connections of Weir's: after the first, PostgreSQL ends all others too and recovers.</summary>
    public async Task SignalBackendsAsync(string signal, int most)
    {
        await using var superuser = Superuser("postgres");
        var backends = await superuser.QueryAsync(
            "select pid from pg_stat_activity where usename in ('weir_engine', 'weir_gateway') order by backend_start", [],
            r => r.GetInt32(0), CancellationToken.None);
        foreach (var backend in backends.Take(most))
        {
            await Tool.SignalAsync(backend, signal, CancellationToken.None);
        }
    }

    /// <summary>An `immediate` stop. It is started again and again meanwhile, and refuses to start until <see cref="LetStart"/>.</summary>
    public async Task StopImmediatelyAsync()
    {
        await using var superuser = Superuser("postgres");
        _data ??= await superuser.ScalarAsync<string>("show data_directory", [], CancellationToken.None);
        var server = int.Parse(
            (await File.ReadAllLinesAsync(Path.Combine(_data!, "postmaster.pid")))[0], System.Globalization.CultureInfo.InvariantCulture);
        // PostgreSQL does not start on a directory that is open to others.
        File.SetUnixFileMode(_data!, File.GetUnixFileMode(_data!) | UnixFileMode.OtherRead);
        await Tool.SignalAsync(server, "QUIT", CancellationToken.None);
        await Until.True(() => !Directory.Exists($"/proc/{server}"), "PostgreSQL has ended");
    }

    public void LetStart() => File.SetUnixFileMode(_data!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
}
