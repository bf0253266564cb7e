using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Weir.Nodes;
using Weir.Server.Up;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Up;

/// <summary>The node of `up` comes back, however it went and whatever is in the way of its return.</summary>
public sealed class NodeProcessTests(RunningWeir weir) : IClassFixture<RunningWeir>, IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-node-").FullName;
    private readonly Lines _log = new();
    private NodeProcess _node = null!;

    private string Identity => Path.Combine(_directory, "state", "node.json");

    public async ValueTask InitializeAsync()
    {
        // As root, the servers' accounts must be able to pass through.
        File.SetUnixFileMode(_directory, File.GetUnixFileMode(_directory) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        _node = await NodeProcess.StartAsync(_directory, weir.Url, weir.Services.GetRequiredService<NodeRegistry>(),
            weir.Services.GetRequiredService<NodeDirectory>(), TimeProvider.System, _log, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_start_that_fails_is_tried_again_until_it_succeeds()
    {
        using (new FileStream(Identity, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        {
            Kill();
            await Until.True(() => _log.All.Any(l => l.StartsWith("The node could not be started")), "a start that fails");
            _node.ProcessId.ShouldBeNull();
        }

        await Until.True(() => _node.ProcessId is not null, "the node is there again");
    }

    [Fact]
    public async Task A_half_written_identity_is_given_up_for_a_new_one()
    {
        await File.WriteAllTextAsync(Identity, "{\"nodeId\": \"0199");
        var before = Kill();
        await Until.True(() => _node.ProcessId is { } now && now != before, "the node is there again");
        (await File.ReadAllTextAsync(Identity)).ShouldEndWith("}");
    }

    [Fact]
    public async Task Stopping_while_there_is_no_node_is_no_error()
    {
        using var held = new FileStream(Identity, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Kill();
        await Until.True(() => _node.ProcessId is null, "the node is gone");
        await _node.DisposeAsync();
    }

    private int Kill()
    {
        var id = _node.ProcessId!.Value;
        using var process = Process.GetProcessById(id);
        process.Kill();
        return id;
    }

    private sealed class Lines : ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IEnumerable<string> All => _lines;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue(formatter(state, exception));
    }
}
