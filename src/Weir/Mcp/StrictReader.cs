using System.Text.Json;
using Weir.Input;

namespace Weir.Mcp;

/// <summary>
/// Walks a message's JSON forward, value by value, and refuses on the way what could be understood in two ways or what the database
/// cannot hold: colliding keys, U+0000, lone surrogates, numbers beyond what <c>jsonb</c> takes. No byte is passed over unchecked.
/// </summary>
internal ref struct StrictReader
{
    private readonly ReadOnlySpan<byte> _message;
    private readonly KeyGuard _guard;
    private Utf8JsonReader _json;

    public StrictReader(ReadOnlySpan<byte> message, KeyGuard guard, int maxDepth)
    {
        _message = message;
        _guard = guard;
        _json = new Utf8JsonReader(message, new JsonReaderOptions { MaxDepth = maxDepth });
    }

    /// <summary>The message's id, once it was met: a refusal carries it.</summary>
    public ByteRange Id { get; set; }

    public readonly JsonTokenType Token => _json.TokenType;

    /// <summary>Moves on by one token; false at the end of the body.</summary>
    public bool Read() => _json.Read();

    public readonly bool Is(ReadOnlySpan<byte> text) => _json.ValueTextEquals(text);

    public readonly bool Is(string text) => _json.ValueTextEquals(text);

    /// <summary>Whether the current token is a number without a fraction, however it is spelled.</summary>
    public readonly bool IsInteger() => _json.TokenType == JsonTokenType.Number && RpcIds.IsInteger(_json.ValueSpan);

    /// <summary>Enters the object that starts at the current token; <see cref="NextKey"/> goes through it.</summary>
    public readonly void EnterObject() => _guard.EnterObject();

    /// <summary>Enters the object that comes next; where it starts.</summary>
    public int NextObject(string what)
    {
        _json.Read();
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            throw Refuse(what + " is not an object.");
        }

        _guard.EnterObject();
        return (int)_json.TokenStartIndex;
    }

    /// <summary>The bytes from <paramref name="start"/> to the end of the current token.</summary>
    public readonly ByteRange Since(int start) => new(start, (int)_json.BytesConsumed - start);

    /// <summary>Moves to the next key of the innermost object; leaves the object and says false at its end.</summary>
    public bool NextKey()
    {
        _json.Read();
        if (_json.TokenType == JsonTokenType.EndObject)
        {
            _guard.LeaveObject();
            return false;
        }

        CheckText();
        if (!_guard.TryAdd(ref _json, _message))
        {
            throw Refuse(
                "An object holds two keys that are equal, or differ only by case or Unicode normalization, or a key longer than 4 KiB.");
        }

        return true;
    }

    public string ReadString(string what)
    {
        _json.Read();
        if (_json.TokenType != JsonTokenType.String)
        {
            throw new ClientMessageException(RpcCodes.InvalidParams, what + " is not a string.", Id);
        }

        CheckText();
        return _json.GetString() ?? "";
    }

    public ByteRange NextValue()
    {
        _json.Read();
        return SkipValue();
    }

    /// <summary>Walks the value that starts at the current token, checks all of it, and returns its bytes.</summary>
    public ByteRange SkipValue()
    {
        var start = (int)_json.TokenStartIndex;
        var depth = 0;
        do
        {
            switch (_json.TokenType)
            {
                case JsonTokenType.StartObject:
                    _guard.EnterObject();
                    depth++;
                    break;
                case JsonTokenType.StartArray:
                    depth++;
                    break;
                case JsonTokenType.EndObject:
                    _guard.LeaveObject();
                    depth--;
                    break;
                case JsonTokenType.EndArray:
                    depth--;
                    break;
                case JsonTokenType.PropertyName:
                    CheckText();
                    if (!_guard.TryAdd(ref _json, _message))
                    {
                        throw Refuse(
                            "An object holds two keys that are equal, or differ only by case or Unicode normalization, or a key longer "
                                + "than 4 KiB.");
                    }

                    break;
                case JsonTokenType.String:
                    CheckText();
                    break;
                case JsonTokenType.Number:
                    CheckNumber();
                    break;
                default:
                    break;
            }
        }
        while (depth > 0 && _json.Read());

        return new ByteRange(start, (int)_json.BytesConsumed - start);
    }

    /// <summary>Raw control characters and invalid UTF-8 are refused by the reader already; escapes are looked at here.</summary>
    private readonly void CheckText()
    {
        if (!JsonText.IsWhole(in _json))
        {
            throw Refuse("A string holds U+0000 or half of a surrogate pair.");
        }
    }

    private readonly void CheckNumber()
    {
        if (!NumberBounds.Contain(_json.ValueSpan))
        {
            throw Refuse("A number is out of range.");
        }
    }

    public readonly ClientMessageException Refuse(string message) => new(RpcCodes.InvalidRequest, message, Id);
}
