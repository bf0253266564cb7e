using System.Text.Json;
using System.Text.Unicode;
using Weir.Configuration;

namespace Weir.Mcp;

/// <summary>
/// Reads the message of one message in one pass and refuses what could be understood in two ways or what the database
/// cannot hold: too deep, keys that collide (<see cref="KeyGuard"/>), invalid UTF-8, U+0000, lone surrogates, numbers beyond
/// what <c>jsonb</c> takes. The caller has checked the size.
/// </summary>
internal static class ClientMessageReader
{
    [ThreadStatic]
    private static KeyGuard? _guard;

    /// <exception cref="ClientMessageException">The message is refused; its code is -32700 or -32600.</exception>
    public static ClientMessage Read(ReadOnlySpan<byte> message, int maxDepth = JsonDepth.Message)
    {
        if (!Utf8.IsValid(message))
        {
            throw new ClientMessageException(RpcCodes.ParseError, "The body is not UTF-8.");
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
            throw new ClientMessageException(
                tooDeep ? RpcCodes.InvalidRequest : RpcCodes.ParseError,
                tooDeep ? $"The body is nested deeper than {maxDepth} levels." : "The body is not JSON.",
                parser.Id);
        }
    }

    private ref struct Parser
    {
        private StrictReader _reader;

        private string _method = "";
        private string? _name;
        private string? _uri;
        private string? _metaVersion;
        private string? _requestedVersion;
        private bool _isVersion2;
        private string? _cursor;
        private string? _requestState;
        private string? _logLevel;
        private ByteRange _inputResponses;
        private ByteRange _params;
        private ByteRange _arguments;
        private ByteRange _meta;
        private ByteRange _progressToken;
        private ByteRange _clientCapabilities;
        private ByteRange _initializeCapabilities;
        private ByteRange _subject;
        private ByteRange _result;
        private ByteRange _error;

        public Parser(ReadOnlySpan<byte> message, KeyGuard guard, int maxDepth) => _reader = new StrictReader(message, guard, maxDepth);

        public readonly ByteRange Id => _reader.Id;

        public ClientMessage Read()
        {
            _reader.Read();
            if (_reader.Token == JsonTokenType.StartArray)
            {
                throw _reader.Refuse("JSON-RPC batches are not accepted: send one message per request.");
            }

            if (_reader.Token != JsonTokenType.StartObject)
            {
                throw _reader.Refuse("The body is not a JSON-RPC message.");
            }

            _reader.EnterObject();
            while (_reader.NextKey())
            {
                ReadTopLevel();
            }

            if (_reader.Read())
            {
                throw _reader.Refuse("The body holds more than one message.");
            }

            return Build();
        }

        private void ReadTopLevel()
        {
            if (_reader.Is("jsonrpc"u8))
            {
                _reader.Read();
                // Checked before it is compared: half of a surrogate pair compares with nothing.
                _reader.SkipValue();
                _isVersion2 = _reader.Token == JsonTokenType.String && _reader.Is("2.0"u8);
            }
            else if (_reader.Is("id"u8))
            {
                _reader.Read();
                var acceptable = _reader.Token == JsonTokenType.String || _reader.IsInteger();
                var id = _reader.SkipValue();
                _reader.Id = acceptable && id.Length <= 512
                    ? id : throw _reader.Refuse("The id is neither a string of at most 510 bytes nor an integer.");
            }
            else if (_reader.Is("method"u8))
            {
                _method = _reader.ReadString("method");
            }
            else if (_reader.Is("params"u8))
            {
                _params = ReadParams();
            }
            else if (_reader.Is("result"u8))
            {
                _result = _reader.NextValue();
            }
            else if (_reader.Is("error"u8))
            {
                _error = _reader.NextValue();
            }
            else
            {
                _reader.NextValue();
            }
        }

        private ByteRange ReadParams()
        {
            var start = _reader.NextObject("params");
            while (_reader.NextKey())
            {
                ReadParam();
            }

            return _reader.Since(start);
        }

        private void ReadParam()
        {
            if (_reader.Is("name"u8))
            {
                _name = _reader.ReadString("params.name");
            }
            else if (_reader.Is("uri"u8))
            {
                _uri = _reader.ReadString("params.uri");
            }
            else if (_reader.Is("arguments"u8))
            {
                _reader.Read();
                var isObject = _reader.Token == JsonTokenType.StartObject;
                _arguments = _reader.SkipValue();
                if (!isObject)
                {
                    throw new ClientMessageException(RpcCodes.InvalidParams, "params.arguments is not an object.", Id);
                }
            }
            else if (_reader.Is("_meta"u8))
            {
                _meta = ReadMeta();
            }
            else if (_reader.Is("protocolVersion"u8))
            {
                _requestedVersion = _reader.ReadString("params.protocolVersion");
            }
            else if (_reader.Is("capabilities"u8))
            {
                _initializeCapabilities = _reader.NextValue();
            }
            else if (_reader.Is("requestId"u8) || _reader.Is("progressToken"u8))
            {
                _subject = _reader.NextValue();
            }
            else if (_reader.Is("cursor"u8))
            {
                _cursor = _reader.ReadString("params.cursor");
            }
            else if (_reader.Is("level"u8))
            {
                _logLevel = _reader.ReadString("params.level");
            }
            else if (_reader.Is("requestState"u8))
            {
                _requestState = _reader.ReadString("params.requestState");
            }
            else if (_reader.Is("inputResponses"u8))
            {
                _inputResponses = ReadInputResponses();
            }
            else
            {
                _reader.NextValue();
            }
        }

        private ByteRange ReadInputResponses()
        {
            _reader.Read();
            var isObject = _reader.Token == JsonTokenType.StartObject;
            var value = _reader.SkipValue();
            return isObject
                ? value : throw new ClientMessageException(RpcCodes.InvalidParams, "params.inputResponses is not an object.", Id);
        }

        private ByteRange ReadMeta()
        {
            var start = _reader.NextObject("params._meta");
            while (_reader.NextKey())
            {
                if (_reader.Is(Protocol.MetaVersion))
                {
                    _metaVersion = _reader.ReadString("params._meta." + Protocol.MetaVersion);
                }
                else if (_reader.Is(Protocol.MetaClientCapabilities))
                {
                    _reader.Read();
                    var isObject = _reader.Token == JsonTokenType.StartObject;
                    var value = _reader.SkipValue();
                    _clientCapabilities = isObject ? value : default;
                }
                else if (_reader.Is(Protocol.MetaLogLevel))
                {
                    _logLevel = _reader.ReadString("params._meta." + Protocol.MetaLogLevel);
                }
                else if (_reader.Is("progressToken"u8))
                {
                    _reader.Read();
                    var isToken = _reader.Token is JsonTokenType.String or JsonTokenType.Number;
                    var value = _reader.SkipValue();
                    _progressToken = isToken && value.Length <= 512
                        ? value : throw _reader.Refuse("The progress token is neither a string nor a number.");
                }
                else
                {
                    _reader.NextValue();
                }
            }

            return _reader.Since(start);
        }

        private readonly ClientMessage Build()
        {
            if (!_isVersion2)
            {
                throw _reader.Refuse("jsonrpc is not \"2.0\".");
            }

            var isResponse = _method.Length == 0;
            if (isResponse && (!Id.Exists || _result.Exists == _error.Exists))
            {
                throw _reader.Refuse("The message has no method, and is no response either.");
            }

            return new ClientMessage
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
                Uri = _uri,
                Cursor = _cursor,
                RequestState = _requestState,
                InputResponses = _inputResponses,
                LogLevel = _logLevel,
                Result = _result,
                Error = _error,
            };
        }
    }
}
