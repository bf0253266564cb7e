using System.Diagnostics;
using Weir.Postgres.Embedded;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>A replica as its operator runs it: <c>weir serve</c> on one port, started again after each end.</summary>
internal sealed class TrialReplica(int port, IReadOnlyDictionary<string, string> environment) : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly List<string> _log = [];
    private Process? _process;

    public bool IsRunning => _process is { HasExited: false };

    /// <summary>What it has written to standard error, all of its processes.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return string.Join('\n', _log);
            }
        }
    }

    public HttpClient Client(string? key = null)
    {
        var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 4 })
        {
            BaseAddress = new Uri($"http://127.0.0.1:{port}"),
            Timeout = TimeSpan.FromSeconds(40),
        };
        if (key is not null)
        {
            client.DefaultRequestHeaders.Authorization = new("Bearer", key);
        }

        return client;
    }

    /// <summary>Returns when it says that it is ready.</summary>
    public async Task StartAsync()
    {
        _process = Process.Start(RunningUp.Command(environment, "serve", "--port", $"{port}"))!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.ErrorDataReceived += (_, e) =>
        {
            lock (_log)
            {
                _log.Add(e.Data ?? "");
            }
        };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        using var client = Client();
        await Until.AsyncTrue(
            async () =>
            {
                _process.HasExited.ShouldBeFalse(Log);
                try
                {
                    using var answer = await client.GetAsync("/readyz");
                    return answer.IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            "the replica is ready",
            Timeout);
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM; how long its end took.</summary>
    public async Task<TimeSpan> StopAsync()
    {
        var asked = TimeProvider.System.GetTimestamp();
        await Tool.SignalAsync(_process!.Id, "TERM", CancellationToken.None);
        await _process.WaitForExitAsync().WaitAsync(Timeout, TimeProvider.System);
        var took = TimeProvider.System.GetElapsedTime(asked);
        _process.ExitCode.ShouldBe(0, Log);
        return took;
    }

    public async ValueTask DisposeAsync()
    {
        if (IsRunning)
        {
            await KillAsync();
        }

        _process?.Dispose();
    }
}
