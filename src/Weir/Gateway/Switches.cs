using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Gateway;

/// <summary>One thing that is open for an agent: a call at a server, or a chat turn.</summary>
/// <param name="InstanceId">Null: the agent's alone, or the server is not known.</param>
internal sealed class SwitchedWork(Guid organizationId, Guid agentId, Guid? instanceId, Action<SwitchedWork> end) : IDisposable
{
    // Not disposed: whoever switches off may be about to use it, and it holds no timer.
    private readonly CancellationTokenSource _off = new();

    public Guid OrganizationId => organizationId;

    public Guid AgentId => agentId;

    public Guid? InstanceId => instanceId;

    /// <summary>Something has changed since the database was asked about it.</summary>
    public bool IsInDoubt { get; set; }

    /// <summary>Cancelled when its agent, server, organization or the platform is switched off.</summary>
    public CancellationToken Off => _off.Token;

    public bool IsOff => _off.IsCancellationRequested;

    public Task SwitchOffAsync() => _off.CancelAsync();

    public void Dispose() => end(this);
}

/// <summary>
/// Ends what this replica has open when it is switched off. It is held from before it is decided: a stop that was committed before that denies
/// it, and one that is committed later is announced, and then the database is asked about what is held. Whether a new call may begin is admission's.
/// </summary>
/// <param name="ask">Whether each of these is switched off, in this order.</param>
internal sealed class Switches(
    Func<IReadOnlyList<(Guid AgentId, Guid? InstanceId)>, CancellationToken, Task<bool[]>> ask, TimeProvider time, ILogger<Switches> logger) : BackgroundService
{
    /// <summary>Announcements are not lost (see <see cref="ChangeListener"/>); this is for an answer that was.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<SwitchedWork, bool> _open = new();
    private readonly PollPause _pause = new(Interval, time);

    /// <summary>How much is held.</summary>
    public int Count => _open.Count;

    /// <summary>Held until it is disposed.</summary>
    public SwitchedWork Hold(Guid organizationId, Guid agentId, Guid? instanceId)
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
                work.IsInDoubt = true;
            }
        }

        _pause.End();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await LookAsync(stoppingToken);
                await _pause.WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private async Task LookAsync(CancellationToken ct)
    {
        var doubted = _open.Keys.Where(w => w.IsInDoubt).ToLookup(w => (w.AgentId, w.InstanceId));
        if (doubted.Count == 0)
        {
            return;
        }

        // Before the question: what changes while it is answered is a doubt of its own.
        foreach (var work in doubted.SelectMany(w => w))
        {
            work.IsInDoubt = false;
        }

        var asked = doubted.Select(w => w.Key).ToArray();
        try
        {
            var off = await ask(asked, ct);
            await Task.WhenAll(asked.Zip(off).Where(a => a.Second).SelectMany(a => doubted[a.First]).Select(w => w.SwitchOffAsync()));
        }
        catch (WeirException e)
        {
            // The database is away: asked again after the pause.
            logger.LogDebug(e, "Could not ask what is switched off.");
            foreach (var work in doubted.SelectMany(w => w))
            {
                work.IsInDoubt = true;
            }
        }
    }
}
