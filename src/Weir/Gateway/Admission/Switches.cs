using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Gateway.Admission;

/// <summary>One thing that is open for an agent: a call at a server, or a chat turn.</summary>
/// <param name="InstanceId">Null: the agent's alone, or the server is not known.</param>
internal sealed class SwitchedWork(Guid organizationId, Guid agentId, Guid? instanceId, Action<SwitchedWork> end) : IDisposable
{
    // Not disposed: whoever switches off may be about to use it, and it holds no timer.
    private readonly CancellationTokenSource _off = new();

    public Guid OrganizationId => organizationId;

    public Guid AgentId => agentId;

    public Guid? InstanceId => instanceId;

    /// <summary>Something has changed since the database last answered about it.</summary>
    public bool NeedsCheck { get; set; }

    /// <summary>Cancelled when its agent, server, organization or the platform is switched off.</summary>
    public CancellationToken Off => _off.Token;

    public bool IsOff => _off.IsCancellationRequested;

    public Task SwitchOffAsync() => _off.CancelAsync();

    public void Dispose() => end(this);
}

/// <summary>
/// Ends what this replica has open when it is switched off. Work is registered before admission. A stop committed earlier makes admission
/// deny it. A later one is announced, and this service then asks the database about all registered work.
/// </summary>
/// <param name="ask">Whether each of these is switched off, in this order.</param>
internal sealed class Switches(
    Func<IReadOnlyList<(Guid AgentId, Guid? InstanceId)>, CancellationToken, Task<bool[]>> ask, TimeProvider time, ILogger<Switches> logger)
    : BackgroundService
{
    /// <summary>Repeats a question that failed. Announcements themselves are not lost (see <see cref="ChangeListener"/>).</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<SwitchedWork, bool> _open = new();
    private readonly PollPause _pause = new(Interval, time);

    /// <summary>How much is registered.</summary>
    public int Count => _open.Count;

    /// <summary>Registered until it is disposed.</summary>
    public SwitchedWork Register(Guid organizationId, Guid agentId, Guid? instanceId)
    {
        var work = new SwitchedWork(organizationId, agentId, instanceId, ended => _open.TryRemove(ended, out _));
        _open[work] = true;
        return work;
    }

    /// <summary>Something of this organization has changed; null: anything may have.</summary>
    public void Announce(Guid? organizationId)
    {
        foreach (var (work, _) in _open)
        {
            if (organizationId is null || work.OrganizationId == organizationId)
            {
                work.NeedsCheck = true;
            }
        }

        _pause.End();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _pause.RepeatAsync(LookAsync, stoppingToken);

    private async Task LookAsync(CancellationToken ct)
    {
        var changed = _open.Keys.Where(w => w.NeedsCheck).ToLookup(w => (w.AgentId, w.InstanceId));
        if (changed.Count == 0)
        {
            return;
        }

        // Before the question: what changes while it is answered needs another check.
        foreach (var work in changed.SelectMany(w => w))
        {
            work.NeedsCheck = false;
        }

        var asked = changed.Select(w => w.Key).ToArray();
        try
        {
            var off = await ask(asked, ct);
            if (off.Length != asked.Length)
            {
                throw new WeirException(
                    ErrorCode.Internal, $"{asked.Length} answers what is switched off were expected, and {off.Length} came.");
            }

            await Task.WhenAll(asked.Zip(off).Where(a => a.Second).SelectMany(a => changed[a.First]).Select(SwitchOffAsync));
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // Asked again after the pause. No failure may end this service: nothing would be stopped any more.
            var level = e is WeirException { Code: ErrorCode.Unavailable } ? LogLevel.Debug : LogLevel.Error;
            logger.Log(level, e, "Could not ask what is switched off.");
            foreach (var work in changed.SelectMany(w => w))
            {
                work.NeedsCheck = true;
            }
        }
    }

    /// <summary>What reacts to a stop may fail, which must not keep other work open.</summary>
    private async Task SwitchOffAsync(SwitchedWork work)
    {
        try
        {
            await work.SwitchOffAsync();
        }
        catch (AggregateException e)
        {
            logger.LogError(e, "A call of agent {Agent} failed while it was switched off.", work.AgentId);
        }
    }
}
