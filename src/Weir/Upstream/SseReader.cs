using System.Buffers;
using System.Globalization;
using System.Text;

namespace Weir.Upstream;

/// <summary>One server-sent event that has data.</summary>
/// <param name="Type">The value of its <c>event</c> field; <see cref="SseReader.Message"/> where it has none, or an empty one.</param>
internal readonly record struct SseEvent(string Type, byte[] Data);

/// <summary>
/// Reads server-sent events by the rules of the WHATWG. .NET's own parser is not used: it keeps the type of an event without data for
/// the next event. Every byte counts toward the limit: comments, fields that are not known, and events that the caller skips.
/// </summary>
/// <param name="maxBytes">Most bytes of the stream, or of one event of a stream without end.</param>
/// <param name="account">Charged with the largest event so far; null: nobody is charged.</param>
internal sealed class SseReader(Stream stream, int maxBytes, ByteAccount? account = null) : IAsyncDisposable
{
    /// <summary>The type of an event that carries a message of the protocol.</summary>
    public const string Message = "message";

    /// <summary>A longer id is not kept: it could not be sent back in a header.</summary>
    private const int MaxIdBytes = 4096;

    /// <summary>A buffer that one event has made larger than this is not kept for the next.</summary>
    private const int LargestKept = 64 * 1024;

    private const int ChargedAtOnce = 16 * 1024;

    private ArrayBufferWriter<byte> _data = new();
    private byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;

    /// <summary>How many unread bytes are known to hold no end of a line.</summary>
    private int _searched;
    private long _used;
    private long _charged;
    private bool _isFirstLine = true;
    private bool _skipsLineFeed;
    private string _type = "";
    private string _id = "";
    private bool _hasData;

    /// <summary>Whether the limit is for each event and not for the whole stream.</summary>
    public bool IsEndless { get; set; }

    /// <summary>The id of the last event that ended, with data or without; null: none.</summary>
    public string? LastEventId { get; private set; }

    /// <summary>What the server last said in <c>retry</c>; null: nothing.</summary>
    public TimeSpan? Retry { get; private set; }

    /// <summary>The next event; null at the end of the stream. An event that the stream breaks off is discarded.</summary>
    /// <exception cref="UpstreamException">The stream is larger than it may be.</exception>
    public async ValueTask<SseEvent?> ReadAsync(CancellationToken ct)
    {
        while (true)
        {
            while (TryTakeLine(out var start, out var length))
            {
                if (length > 0)
                {
                    Take(_buffer.AsSpan(start, length));
                }
                else if (TryEndEvent(out var ended))
                {
                    return ended;
                }
            }

            if (!await FillAsync(ct))
            {
                return null;
            }
        }
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    /// <summary>The next line that has ended, without its end: CR, LF, or both.</summary>
    private bool TryTakeLine(out int start, out int length)
    {
        if (_skipsLineFeed && _start < _end)
        {
            _skipsLineFeed = false;
            if (_buffer[_start] == (byte)'\n')
            {
                _start++;
                _used++;
            }
        }

        start = _start;
        length = _buffer.AsSpan(_start + _searched, _end - _start - _searched).IndexOfAny((byte)'\r', (byte)'\n');
        if (length < 0)
        {
            _searched = _end - _start;
            return _used + _searched <= maxBytes ? false : throw UpstreamRequest.TooLarge();
        }

        length += _searched;
        _searched = 0;
        _start += length + 1;
        _used += length + 1;
        if (_used > maxBytes)
        {
            throw UpstreamRequest.TooLarge();
        }

        // A line feed that belongs to this carriage return may not have come yet; the event is not kept waiting for it.
        _skipsLineFeed = _buffer[_start - 1] == (byte)'\r';
        if (_isFirstLine)
        {
            _isFirstLine = false;
            var mark = _buffer.AsSpan(start, length).StartsWith("\uFEFF"u8) ? 3 : 0;
            (start, length) = (start + mark, length - mark);
        }

        return true;
    }

    private void Take(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        if (colon == 0)
        {
            return; // A comment.
        }

        var name = colon < 0 ? line : line[..colon];
        var value = colon < 0 ? default : line[(colon + 1)..];
        value = value.StartsWith(" "u8) ? value[1..] : value;
        if (name.SequenceEqual("data"u8))
        {
            _data.Write(value);
            _data.Write("\n"u8);
            _hasData = true;
        }
        else if (name.SequenceEqual("event"u8))
        {
            _type = Encoding.UTF8.GetString(value);
        }
        else if (name.SequenceEqual("id"u8) && !value.Contains((byte)0))
        {
            _id = value.Length <= MaxIdBytes ? Encoding.UTF8.GetString(value) : "";
        }
        else if (name.SequenceEqual("retry"u8)
            && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds))
        {
            Retry = TimeSpan.FromMilliseconds(milliseconds);
        }
    }

    /// <summary>An empty line. False where the event that it ends has no data, and so is none.</summary>
    private bool TryEndEvent(out SseEvent ended)
    {
        LastEventId = _id.Length > 0 ? _id : null;
        ended = _hasData ? new SseEvent(_type.Length > 0 ? _type : Message, _data.WrittenSpan[..^1].ToArray()) : default;
        var hadData = _hasData;
        _type = "";
        _hasData = false;
        if (_data.Capacity > LargestKept)
        {
            _data = new ArrayBufferWriter<byte>();
        }

        _data.ResetWrittenCount();
        if (IsEndless)
        {
            _used = 0;
        }

        return hadData;
    }

    /// <summary>False at the end of the stream.</summary>
    private async ValueTask<bool> FillAsync(CancellationToken ct)
    {
        if (_start == _end && _buffer.Length > LargestKept)
        {
            (_buffer, _start, _end) = (new byte[4096], 0, 0);
        }
        else if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var read = await stream.ReadAsync(_buffer.AsMemory(_end), ct);
        _end += read;
        Charge(_end - _start + _data.WrittenCount);
        return read > 0;
    }

    /// <summary>What is collected of an event counts; in steps, so that small events cost little.</summary>
    private void Charge(long collected)
    {
        if (account is not null && collected > _charged)
        {
            var more = (collected - _charged + ChargedAtOnce - 1) / ChargedAtOnce * ChargedAtOnce;
            account.Take(more);
            _charged += more;
        }
    }
}
