using Weir.NodeAgent.State;
using Weir.Nodes;

namespace Weir.NodeAgent.Servers;

/// <summary>One instance in the registry: its record, on disk before it is believed, and what runs of it.</summary>
internal sealed class ServerEntry(StoredServer stored, StateStore store, InstanceLog log)
{
    private readonly Lock _lock = new();
    private StoredServer _stored = stored;
    private int _epoch;

    /// <summary>Of a start that is under way. Not on disk: a node that is restarted starts anew.</summary>
    private string? _phase;

    public bool IsNew { get; set; } = true;

    public SemaphoreSlim Mutex { get; } = new(1);

    public Task Work { get; set; } = Task.CompletedTask;

    public InstanceLog Log { get; } = log;

    public ServerInstance? Instance { get; set; }

    /// <summary>Rises with each intent, so that reports of what ran for an earlier one are known.</summary>
    public int Epoch => Volatile.Read(ref _epoch);

    public StoredServer Stored
    {
        get
        {
            lock (_lock)
            {
                return _stored;
            }
        }
    }

    public ServerStatus Status
    {
        get
        {
            lock (_lock)
            {
                return new(
                    _stored.Id, _stored.Spec.Generation, _stored.State, _stored.ErrorCode, _stored.Error,
                    _stored.State == ServerStates.Starting ? _phase : null);
            }
        }
    }

    public void Renew(StoredServer stored)
    {
        lock (_lock)
        {
            store.Save(stored);
            _stored = stored;
            _phase = null;
            _epoch++;
            IsNew = false;
        }
    }

    /// <summary>False if the report is redundant: an older epoch, an instance that already ran, or the same phase.</summary>
    public bool TryEnter(int epoch, string phase)
    {
        lock (_lock)
        {
            if (epoch != _epoch || _stored.State != ServerStates.Starting || _phase == phase)
            {
                return false;
            }

            _phase = phase;
            return true;
        }
    }

    /// <summary>False when nothing has changed, or it is not of this epoch.</summary>
    public bool TryReport(int epoch, string state, string? code, string? error, ILogger log)
    {
        lock (_lock)
        {
            var changed = _stored with { State = state, ErrorCode = code, Error = error };
            if (epoch != _epoch || changed == _stored)
            {
                return false;
            }

            _stored = changed;
            try
            {
                store.Save(changed);
            }
            catch (IOException e)
            {
                log.LogError(e, "The state of instance {Id} is not on disk; it is told to Weir all the same.", changed.Id);
            }

            return true;
        }
    }
}
