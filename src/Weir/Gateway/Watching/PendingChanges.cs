using System.Threading.Channels;

namespace Weir.Gateway.Watching;

/// <summary>
/// What a stream has to tell of, each thing once however often it happens: so it is bounded by what the stream subscribes to, and needs no
/// budget.
/// </summary>
internal sealed class PendingChanges
{
    private readonly Lock _lock = new();
    private readonly Channel<bool> _signal =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private HashSet<string> _uris = new(StringComparer.Ordinal);
    private bool _lists;
    private bool _beat;

    /// <summary>A resource changed: the URI that the client knows, one of those that it subscribes to.</summary>
    public void Add(string uri)
    {
        lock (_lock)
        {
            _uris.Add(uri);
        }

        _signal.Writer.TryWrite(true);
    }

    /// <summary>A list may have changed.</summary>
    public void AddLists()
    {
        lock (_lock)
        {
            _lists = true;
        }

        _signal.Writer.TryWrite(true);
    }

    /// <summary>It is time for a sign of life.</summary>
    public void AddBeat()
    {
        lock (_lock)
        {
            _beat = true;
        }

        _signal.Writer.TryWrite(true);
    }

    /// <summary>Waits until there is something, and takes all of it.</summary>
    public async ValueTask<(IReadOnlyCollection<string> Uris, bool Lists, bool Beat)> TakeAsync(CancellationToken ct)
    {
        await _signal.Reader.ReadAsync(ct);
        lock (_lock)
        {
            var taken = (_uris, _lists, _beat);
            (_uris, _lists, _beat) = (new HashSet<string>(StringComparer.Ordinal), false, false);
            return taken;
        }
    }
}
