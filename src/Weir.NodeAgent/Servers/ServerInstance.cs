using Weir.NodeAgent.Bridge;
using Weir.NodeAgent.Packages;
using Weir.NodeAgent.Processes;
using Weir.NodeAgent.State;
using Weir.Nodes;

namespace Weir.NodeAgent.Servers;

/// <summary>
/// Keeps one instance as its spec wants it, from start to stop: one of these per start. Says <c>running</c> only after a handshake,
/// and <c>stopped</c> only when nothing of it is left.
/// </summary>
internal sealed class ServerInstance
{
    private const int MissedPings = 3;
    private static readonly TimeSpan ExitTimeout = TimeSpan.FromSeconds(1);

    private readonly Guid _id;
    private readonly ServerSpec _spec;
    private readonly ServerContext _context;
    private readonly InstanceLog _log;
    private readonly Action<string, string?, string?> _report;
    private readonly Action<string> _phase;
    private readonly Backoff _backoff;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _supervision;
    private volatile ISessionHost? _host;
    private InstanceFailure? _trouble;
    private bool _hasRun;
    private bool _allGone = true;

    /// <param name="trouble">Why it does not run although it ran before: then it is degraded until it runs again, and not starting.</param>
    /// <param name="report">Told each state with its error.</param>
    /// <param name="phase">Told each of <see cref="ServerPhases"/> on the way to <c>running</c>.</param>
    public ServerInstance(
        Guid id, ServerSpec spec, InstanceFailure? trouble, ServerContext context, InstanceLog log, Action<string, string?, string?> report,
        Action<string> phase)
    {
        (_id, _spec, _context, _log, _report, _phase) = (id, spec, context, log, report, phase);
        (_trouble, _hasRun) = (trouble, trouble is not null);
        _backoff = new Backoff(context.Supervision.FirstWait, context.Supervision.LongestWait, context.Chance);
        _supervision = Task.Run(SuperviseAsync);
    }

    /// <summary>The data path, while there is one.</summary>
    public ISessionHost? Host => _host;

    /// <summary>True when nothing of it is left.</summary>
    public async Task<bool> StopAsync()
    {
        await _stop.CancelAsync();
        await _supervision;
        return _allGone;
    }

    private async Task SuperviseAsync()
    {
        var attempt = 0;
        while (!_stop.IsCancellationRequested)
        {
            _report(_hasRun ? ServerStates.Degraded : ServerStates.Starting, _trouble?.Code, _trouble?.Message);
            var started = _context.Time.GetTimestamp();
            try
            {
                _trouble = await RunOnceAsync();
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (InstanceFailure failure)
            {
                _trouble = failure;
            }
            catch (Exception e)
            {
                _context.Log.LogError(e, "Instance {Id} could not be started.", _id);
                _trouble = new InstanceFailure(
                    NodeErrors.StartFailed, "The node could not start the server's process; the server's log says why.")
                {
                    Printed = ("node", e.Message),
                };
            }

            if (_stop.IsCancellationRequested)
            {
                return;
            }

            foreach (var line in _trouble.Printed?.Text.Split('\n') ?? [])
            {
                _log.Write(_trouble.Printed!.Value.Source, line);
            }

            _log.Write("node", $"{_trouble.Code}: {_trouble.Message}");
            attempt = _context.Time.GetElapsedTime(started) > _context.Supervision.Stable ? 1 : attempt + 1;
            if (_trouble.IsFinal || (_trouble.IsFinalAtFirst && !_hasRun) || attempt >= _context.Supervision.Attempts)
            {
                _report(ServerStates.Failed, _trouble.Code, _trouble.Message);
                return;
            }

            await Task.Delay(_backoff.Wait(attempt), _context.Time, _stop.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }

    /// <summary>Package, directory, child, handshake, and then its life. Returns what ended it.</summary>
    private async Task<InstanceFailure> RunOnceAsync()
    {
        var spec = await PrepareAsync();
        var budget = new ByteBudget(_context.Bridge.InstanceBytes, _context.Budgets.For(_spec.OrganizationId));
        var turns = _spec.CallsAtOnce is { } most ? new CallQueue(most, new ByteBudget(_context.Bridge.OutgoingBytes, budget)) : null;
        ChildConnection Start(ServerMessageHandler handler) =>
            new(_context.Launcher.Start(spec), _log, _context.Bridge, budget, _context.Time, handler, turns);

        return _spec.Share == "session" ? await RunPerSessionAsync(Start, budget) : await RunSharedAsync(Start, budget);
    }

    private async Task<LaunchSpec> PrepareAsync()
    {
        if (_context.Problem is { } problem)
        {
            throw new InstanceFailure(NodeErrors.RuntimeUnavailable, problem, isFinal: true);
        }

        if (!PackageSpec.TryCreate(_spec.Package, _spec.Version, out var package))
        {
            throw new InstanceFailure(
                NodeErrors.PackageInvalid,
                "The entry's package or version is not valid: give an npm package name and an exact version.",
                isFinal: true);
        }

        _phase(ServerPhases.Installing);
        var directory = await _context.Packages.EnsureAsync(package!, _stop.Token);
        _phase(ServerPhases.Starting);
        var script = PackageBin.Resolve(directory, package!, _spec.Bin);
        var uid = _context.Uids?.For(_spec.OrganizationId);
        var (home, temp) = await PrepareDirectoryAsync(uid);
        string Fill(string text) => text.Replace(NodeContract.InstanceDirPlaceholder, home, StringComparison.Ordinal);

        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in _spec.Env)
        {
            environment[name] = Fill(value);
        }

        // Set last, so that the catalog cannot override them.
        environment["PATH"] = $"{Path.GetDirectoryName(_context.NodeProgram)}:{Launcher.SystemPath}";
        environment["HOME"] = home;
        environment["TMPDIR"] = temp;
        environment["LANG"] = "C.UTF-8";
        environment.TryAdd("NODE_ENV", "production");
        return new LaunchSpec(_context.NodeProgram, [script, .. _spec.Args.Select(Fill)], home, environment, uid);
    }

    /// <summary>The instance's directory, and the short path to it.</summary>
    private async Task<(string Home, string Temp)> PrepareDirectoryAsync(uint? uid)
    {
        try
        {
            var home = await _context.Directories.PrepareAsync(_id, uid);
            return (home, _context.TempLinks.To(_id, home));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InstanceFailure(
                NodeErrors.DirectoryFailed, "The node could not prepare the server's directory; the server's log says why.")
            {
                Printed = ("node", e.Message),
            };
        }
    }

    private async Task<InstanceFailure> RunSharedAsync(Func<ServerMessageHandler, ChildConnection> start, ByteBudget budget)
    {
        var shared = new SharedChild(start, _context.Bridge, budget, _log, _context.Time);
        try
        {
            await shared.InitializeAsync(_phase, _stop.Token);
            _host = shared;
            SayRunning();
            var ended = await WatchAsync(shared.Child);
            SayDegraded(ended);
            return ended;
        }
        finally
        {
            _host = null;
            _allGone = await shared.EndAsync();
        }
    }

    private async Task<InstanceFailure> WatchAsync(ChildConnection child)
    {
        var missed = 0;
        while (true)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            var pause = Task.Delay(_context.Supervision.PingEvery, _context.Time, either.Token);
            await Task.WhenAny(child.Closed, pause);
            await either.CancelAsync();
            _stop.Token.ThrowIfCancellationRequested();
            if (child.Closed.IsCompleted)
            {
                _host = null;
                // Its output ends a moment before it does.
                await Task.WhenAny(child.Exited, Task.Delay(ExitTimeout, _context.Time, CancellationToken.None));
                var code = child.Exited.IsCompletedSuccessfully ? $" with code {await child.Exited}" : "";
                return new InstanceFailure(NodeErrors.ChildExited, $"The server ended{code}.");
            }

            if (await child.AskAsync("ping", "", _context.Supervision.PingTimeout, _stop.Token) is not null)
            {
                if (missed > 0)
                {
                    SayRunning();
                }

                missed = 0;
                continue;
            }

            missed++;
            var unresponsive = new InstanceFailure(NodeErrors.Unresponsive, $"The server did not answer {missed} ping(s).");
            if (missed == MissedPings)
            {
                return unresponsive;
            }

            _report(ServerStates.Degraded, unresponsive.Code, unresponsive.Message);
        }
    }

    private async Task<InstanceFailure> RunPerSessionAsync(Func<ServerMessageHandler, ChildConnection> start, ByteBudget budget)
    {
        var failures = 0;
        var broken = new TaskCompletionSource<InstanceFailure>(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = _context.Bridge with { SessionChildren = SessionsOf(_spec.MaxSessions, _context.Bridge) };
        ChildPerSession? sessions = null;
        sessions = new ChildPerSession(start, options, budget, _log, _context.Time, failure =>
        {
            // One client may send nonsense, and a host may be out of processes: only starts that fail in a row while no session runs speak
            // against the server.
            failures = failure is null ? 0 : failures + 1;
            if (failure is not null && failures >= MissedPings && sessions!.Count == 0)
            {
                broken.TrySetResult(failure);
            }
        });
        try
        {
            await sessions.ProbeAsync(_phase, _stop.Token);
            _host = sessions;
            SayRunning();
            var ended = await broken.Task.WaitAsync(_stop.Token);
            SayDegraded(ended);
            return ended;
        }
        finally
        {
            _host = null;
            _allGone = await sessions.EndAsync();
        }
    }

    private static int SessionsOf(int? asked, BridgeOptions bridge) => asked is { } number
        ? Math.Min(number, bridge.SessionChildrenMost) : bridge.SessionChildren;

    /// <summary>At once, before what is left of it is ended: from now on nobody is served.</summary>
    private void SayDegraded(InstanceFailure failure)
    {
        _host = null;
        _report(ServerStates.Degraded, failure.Code, failure.Message);
    }

    private void SayRunning()
    {
        _hasRun = true;
        _report(ServerStates.Running, null, null);
    }
}
