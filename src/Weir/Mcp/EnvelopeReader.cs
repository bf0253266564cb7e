using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Weir.Mcp;

/// <summary>
/// Reads the envelope of one message in one pass and refuses what could be understood in two ways or what the database
/// cannot hold: too deep, keys that collide (<see cref="KeyGuard"/>), invalid UTF-8, U+0000, lone surrogates, numbers beyond
/// what <c>jsonb</c> takes. The caller has checked the size.
/// </summary>
internal static class EnvelopeReader
{
    /// <summary>Longer tokens and larger exponents are refused: <c>numeric</c> ends at 131,072 digits, doubles at 308.</summary>
    private const int MaxNumberLength = 400;
    private const int MaxExponent = 400;

    [ThreadStatic]
    private static KeyGuard? _guard;

    /// <exception cref="EnvelopeException">The message is refused; its code is -32700 or -32600.</exception>
    public static Envelope Read(ReadOnlySpan<byte> message, int maxDepth = 64)
    {
        if (!Utf8.IsValid(message))
        {
            throw new EnvelopeException(RpcCodes.ParseError, "The body is not UTF-8.");
        }

        var guard = _guard ??= new KeyGuard();
        guard.Reset();
        var parser = new Parser(message, guard, maxDepth);
        try
        {
            return parser.Read();
        }
        catch (JsonException e)
        {
            var tooDeep = e.Message.Contains("maximum configured depth", StringComparison.Ordinal);
            throw new EnvelopeException(
                tooDeep ? RpcCodes.InvalidRequest : RpcCodes.ParseError,
                tooDeep ? $"The body is nested deeper than {maxDepth} levels." : "The body is not JSON.",
                parser.Id);
        }
    }

    private ref struct Parser
    {
        private readonly ReadOnlySpan<byte> _message;
        private readonly KeyGuard _guard;
        private Utf8JsonReader _reader;

        private string _method = "";
        private string? _name;
        private string? _uri;
        private string? _metaVersion;
        private string? _requestedVersion;
        private bool _isVersion2;
        private bool _hasCursor;
        private ByteRange _params;
        private ByteRange _arguments;
        private ByteRange _meta;
        private ByteRange _progressToken;
        private ByteRange _clientCapabilities;
        private ByteRange _initializeCapabilities;
        private ByteRange _subject;
        private ByteRange _result;
        private ByteRange _error;

        public Parser(ReadOnlySpan<byte> message, KeyGuard guard, int maxDepth)
        {
            _message = message;
            _guard = guard;
            _reader = new Utf8JsonReader(message, new JsonReaderOptions { MaxDepth = maxDepth });
        }

        public ByteRange Id { get; private set; }

        public Envelope Read()
        {
            _reader.Read();
            if (_reader.TokenType == JsonTokenType.StartArray)
            {
                throw Refuse("JSON-RPC batches are not accepted: send one message per request.");
            }

            if (_reader.TokenType != JsonTokenType.StartObject)
            {
                throw Refuse("The body is not a JSON-RPC message.");
            }

            _guard.EnterObject();
            while (NextKey())
            {
                ReadTopLevel();
            }

            if (_reader.Read())
            {
                throw Refuse("The body holds more than one message.");
            }

            return Build();
        }

        private void ReadTopLevel()
        {
            if (_reader.ValueTextEquals("jsonrpc"u8))
            {
                _reader.Read();
                _isVersion2 = _reader.TokenType == JsonTokenType.String && _reader.ValueTextEquals("2.0"u8);
                SkipValue();
            }
            else if (_reader.ValueTextEquals("id"u8))
            {
                _reader.Read();
                var acceptable = _reader.TokenType == JsonTokenType.String
                    || (_reader.TokenType == JsonTokenType.Number && _reader.TryGetInt64(out _));
                var id = SkipValue();
                Id = acceptable && id.Length <= 512 ? id : throw Refuse("The id is neither a string of at most 510 bytes nor an integer.");
            }
            else if (_reader.ValueTextEquals("method"u8))
            {
                _method = ReadString("method");
            }
            else if (_reader.ValueTextEquals("params"u8))
            {
                _params = ReadParams();
            }
            else if (_reader.ValueTextEquals("result"u8))
            {
                _result = NextValue();
            }
            else if (_reader.ValueTextEquals("error"u8))
            {
                _error = NextValue();
            }
            else
            {
                NextValue();
            }
        }

        private ByteRange ReadParams()
        {
            _reader.Read();
            if (_reader.TokenType != JsonTokenType.StartObject)
            {
                throw Refuse("params is not an object.");
            }

            var start = (int)_reader.TokenStartIndex;
            _guard.EnterObject();
            while (NextKey())
            {
                ReadParam();
            }

            return new ByteRange(start, (int)_reader.BytesConsumed - start);
        }

        private void ReadParam()
        {
            if (_reader.ValueTextEquals("name"u8))
            {
                _name = ReadString("params.name");
            }
            else if (_reader.ValueTextEquals("uri"u8))
            {
                _uri = ReadString("params.uri");
            }
            else if (_reader.ValueTextEquals("arguments"u8))
            {
                _reader.Read();
                var isObject = _reader.TokenType == JsonTokenType.StartObject;
                _arguments = SkipValue();
                if (!isObject)
                {
                    throw new EnvelopeException(RpcCodes.InvalidParams, "params.arguments is not an object.", Id);
                }
            }
            else if (_reader.ValueTextEquals("_meta"u8))
            {
                _meta = ReadMeta();
            }
            else if (_reader.ValueTextEquals("protocolVersion"u8))
            {
                _requestedVersion = ReadString("params.protocolVersion");
            }
            else if (_reader.ValueTextEquals("capabilities"u8))
            {
                _initializeCapabilities = NextValue();
            }
            else if (_reader.ValueTextEquals("requestId"u8) || _reader.ValueTextEquals("progressToken"u8))
            {
                _subject = NextValue();
            }
            else
            {
                _hasCursor |= _reader.ValueTextEquals("cursor"u8);
                NextValue();
            }
        }

        private ByteRange ReadMeta()
        {
            _reader.Read();
            if (_reader.TokenType != JsonTokenType.StartObject)
            {
                throw Refuse("params._meta is not an object.");
            }

            var start = (int)_reader.TokenStartIndex;
            _guard.EnterObject();
            while (NextKey())
            {
                if (_reader.ValueTextEquals(Protocol.MetaVersion))
                {
                    _metaVersion = ReadString("params._meta." + Protocol.MetaVersion);
                }
                else if (_reader.ValueTextEquals(Protocol.MetaClientCapabilities))
                {
                    _reader.Read();
                    var isObject = _reader.TokenType == JsonTokenType.StartObject;
                    var value = SkipValue();
                    _clientCapabilities = isObject ? value : default;
                }
                else if (_reader.ValueTextEquals("progressToken"u8))
                {
                    _reader.Read();
                    var isToken = _reader.TokenType is JsonTokenType.String or JsonTokenType.Number;
                    var value = SkipValue();
                    _progressToken = isToken && value.Length <= 512 ? value : throw Refuse("The progress token is neither a string nor a number.");
                }
                else
                {
                    NextValue();
                }
            }

            return new ByteRange(start, (int)_reader.BytesConsumed - start);
        }

        private readonly Envelope Build()
        {
            if (!_isVersion2)
            {
                throw Refuse("jsonrpc is not \"2.0\".");
            }

            var isResponse = _method.Length == 0;
            if (isResponse && (!Id.Exists || _result.Exists == _error.Exists))
            {
                throw Refuse("The message has no method, and is no response either.");
            }

            return new Envelope
            {
                Kind = isResponse ? MessageKind.Response : Id.Exists ? MessageKind.Request : MessageKind.Notification,
                Id = Id,
                Method = _method,
                Params = _params,
                Name = Protocol.NamedBy.GetValueOrDefault(_method) == "uri" ? _uri : _name,
                Arguments = _arguments,
                Meta = _meta,
                MetaVersion = _metaVersion,
                ProgressToken = _progressToken,
                ClientCapabilities = _clientCapabilities,
                RequestedVersion = _requestedVersion,
                InitializeCapabilities = _initializeCapabilities,
                Subject = _subject,
                HasCursor = _hasCursor,
                Result = _result,
                Error = _error,
            };
        }

        /// <summary>Moves to the next key of the innermost object; leaves the object and says false at its end.</summary>
        private bool NextKey()
        {
            _reader.Read();
            if (_reader.TokenType == JsonTokenType.EndObject)
            {
                _guard.LeaveObject();
                return false;
            }

            CheckText();
            if (!_guard.TryAdd(ref _reader, _message))
            {
                throw Refuse("An object holds two keys that are equal, or differ only by case or Unicode normalization, or a key longer than 4 KiB.");
            }

            return true;
        }

        private string ReadString(string what)
        {
            _reader.Read();
            if (_reader.TokenType != JsonTokenType.String)
            {
                throw new EnvelopeException(RpcCodes.InvalidParams, what + " is not a string.", Id);
            }

            CheckText();
            return _reader.GetString() ?? "";
        }

        private ByteRange NextValue()
        {
            _reader.Read();
            return SkipValue();
        }

        /// <summary>Walks the value that starts at the current token, checks all of it, and returns its bytes.</summary>
        private ByteRange SkipValue()
        {
            var start = (int)_reader.TokenStartIndex;
            var depth = 0;
            do
            {
                switch (_reader.TokenType)
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
                        if (!_guard.TryAdd(ref _reader, _message))
                        {
                            throw Refuse("An object holds two keys that are equal, or differ only by case or Unicode normalization, or a key longer than 4 KiB.");
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
            while (depth > 0 && _reader.Read());

            return new ByteRange(start, (int)_reader.BytesConsumed - start);
        }

        /// <summary>Raw control characters and invalid UTF-8 are refused by the reader already; escapes are looked at here.</summary>
        private readonly void CheckText()
        {
            if (!_reader.ValueIsEscaped)
            {
                return;
            }

            var text = _reader.ValueSpan;
            var high = false;
            for (var i = 0; i < text.Length; i++)
            {
                var unit = -1;
                if (text[i] == (byte)'\\')
                {
                    i++;
                    if (text[i] == (byte)'u')
                    {
                        unit = HexUnit(text.Slice(i + 1, 4));
                        i += 4;
                    }
                }

                var low = unit is >= 0xDC00 and <= 0xDFFF;
                if (unit == 0 || low != high)
                {
                    throw Refuse("A string holds U+0000 or half of a surrogate pair.");
                }

                high = unit is >= 0xD800 and <= 0xDBFF;
            }

            if (high)
            {
                throw Refuse("A string holds U+0000 or half of a surrogate pair.");
            }
        }

        private readonly void CheckNumber()
        {
            var number = _reader.ValueSpan;
            var e = number.IndexOfAny((byte)'e', (byte)'E');
            var exponent = 0;
            var fits = number.Length <= MaxNumberLength
                && (e < 0 || (int.TryParse(Encoding.ASCII.GetString(number[(e + 1)..]), out exponent) && Math.Abs(exponent) <= MaxExponent));
            if (!fits)
            {
                throw Refuse("A number is out of range.");
            }
        }

        private static int HexUnit(ReadOnlySpan<byte> digits) =>
            System.Buffers.Text.Utf8Parser.TryParse(digits, out int unit, out _, 'x') ? unit : -1;

        private readonly EnvelopeException Refuse(string message) => new(RpcCodes.InvalidRequest, message, Id);
    }
}
