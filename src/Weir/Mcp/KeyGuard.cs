using System.Text;
using System.Text.Json;

namespace Weir.Mcp;

/// <summary>
/// Refuses objects with two keys that a lenient parser could take for one: equal, or different only by case or by
/// Unicode normalization. Argument rules read the first or the last of such a pair, a server may read the other one.
/// </summary>
internal sealed class KeyGuard
{
    /// <summary>
    /// Up to here the keys of an object are compared one by one; beyond, by a set (an attacker's object may hold 100,000).
    /// </summary>
    private const int LinearKeys = 12;

    private readonly List<Frame> _frames = [];
    private int _depth = -1;

    public void Reset() => _depth = -1;

    public void EnterObject()
    {
        _depth++;
        if (_depth == _frames.Count)
        {
            _frames.Add(new Frame());
        }

        _frames[_depth].Clear();
    }

    public void LeaveObject() => _depth--;

    /// <summary>No honest key is longer; folding one of megabytes would be work for nobody.</summary>
    private const int MaxKeyBytes = 4096;

    /// <summary>False when the innermost object has such a key already, or when the key is longer than 4 KiB.</summary>
    public bool TryAdd(ref Utf8JsonReader reader, ReadOnlySpan<byte> buffer)
    {
        if (reader.ValueSpan.Length > MaxKeyBytes)
        {
            return false;
        }

        var raw = new ByteRange((int)reader.TokenStartIndex + 1, reader.ValueSpan.Length);
        var plain = !reader.ValueIsEscaped && Ascii.IsValid(reader.ValueSpan);
        return _frames[_depth].TryAdd(raw, plain, plain ? null : KeyFolding.Fold(reader.GetString() ?? ""), buffer);
    }

    private sealed class Frame
    {
        private readonly List<ByteRange> _plain = [];
        private HashSet<string>? _set;

        public void Clear()
        {
            _plain.Clear();
            _set = null;
        }

        public bool TryAdd(ByteRange raw, bool plain, string? folded, ReadOnlySpan<byte> buffer)
        {
            if (_set is null && plain && _plain.Count < LinearKeys)
            {
                foreach (var other in _plain)
                {
                    if (Ascii.EqualsIgnoreCase(other.Of(buffer), raw.Of(buffer)))
                    {
                        return false;
                    }
                }

                _plain.Add(raw);
                return true;
            }

            if (_set is null)
            {
                _set = new HashSet<string>(StringComparer.Ordinal);
                foreach (var other in _plain)
                {
                    _set.Add(KeyFolding.Fold(Encoding.ASCII.GetString(other.Of(buffer))));
                }
            }

            return _set.Add(folded ?? KeyFolding.Fold(Encoding.ASCII.GetString(raw.Of(buffer))));
        }
    }
}
