using System.Text.Json;
using Weir.Configuration;

namespace Weir.NodeAgent.Bridge;

internal enum MessageKind
{
    Request,
    Notification,
    Response,
}

/// <summary>
/// Where, in the bytes of one JSON-RPC message, stands what the bridge has to know or to rewrite. Nothing else is read: parameters
/// and results pass as they are.
/// </summary>
internal readonly struct MessageParts
{
    /// <summary>An id or a token is kept for as long as its call; longer ones are no message.</summary>
    private const int LongestId = 4096;

    /// <summary>A method's name is quoted in answers.</summary>
    private const int LongestMethod = 256;

    public MessageKind Kind { get; private init; }

    public string? Method { get; private init; }

    /// <summary>The id with its quotes, so <c>1</c> and <c>"1"</c> differ. Empty on a notification.</summary>
    public Range Id { get; private init; }

    /// <summary><c>params._meta.progressToken</c> of a request, <c>params.progressToken</c> of a progress notification.</summary>
    public Range ProgressToken { get; private init; }

    /// <summary><c>params.requestId</c> of a cancellation.</summary>
    public Range RequestId { get; private init; }

    /// <summary><c>params.uri</c>, with its quotes.</summary>
    public Range Uri { get; private init; }

    public bool IsError { get; private init; }

    /// <summary>An error of a server that could not tell which request it is about.</summary>
    public bool IsOfUnknownRequest { get; private init; }

    public static bool IsSet(Range range) => range.End.Value > range.Start.Value;

    /// <summary>False for what is not one JSON-RPC 2.0 message; <paramref name="problem"/> says why, in terms of the protocol.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, out MessageParts parts, out string problem)
    {
        parts = default;
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = JsonDepth.Message });
            return TryRead(ref reader, out parts, out problem);
        }
        catch (JsonException e)
        {
            problem = $"Not JSON: {e.Message}";
            return false;
        }
        catch (InvalidOperationException)
        {
            problem = "Not JSON: a text is not UTF-8.";
            return false;
        }
    }

    private static bool TryRead(ref Utf8JsonReader reader, out MessageParts message, out string problem)
    {
        message = default;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            problem = "One JSON-RPC message is wanted: an object, not a batch.";
            return false;
        }

        var read = default(Members);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (!read.TryTake(ref reader))
            {
                problem = "A member of the message is there twice, has the wrong type, or is too long.";
                return false;
            }
        }

        // Whatever follows the object is for the reader to refuse.
        while (reader.Read())
        {
        }

        var hasId = IsSet(read.Id);
        MessageKind? kind = (read.Method, read.HasResult, read.HasError, hasId) switch
        {
            (not null, false, false, true) => MessageKind.Request,
            (not null, false, false, false) => MessageKind.Notification,
            (null, true, false, true) or (null, false, true, true) => MessageKind.Response,
            _ => null,
        };
        if (kind is null || !read.IsVersion2 || (read.IdIsNull && !read.HasError))
        {
            problem = "Neither a request, nor a notification, nor a response of JSON-RPC 2.0.";
            return false;
        }

        message = new MessageParts
        {
            Kind = kind.Value,
            Method = read.Method,
            Id = read.Id,
            ProgressToken = read.Method == "notifications/progress" ? read.TopToken : read.MetaToken,
            RequestId = read.RequestId,
            Uri = read.Uri,
            IsError = read.HasError,
            IsOfUnknownRequest = read.IdIsNull,
        };
        problem = "";
        return true;
    }

    private static Range Value(ref Utf8JsonReader reader)
    {
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return start..(int)reader.BytesConsumed;
    }

    private struct Members
    {
        public string? Method;
        public Range Id;
        public Range TopToken;
        public Range MetaToken;
        public Range RequestId;
        public Range Uri;
        public bool HasResult;
        public bool HasError;
        public bool HasParams;
        public bool IdIsNull;
        public bool IsVersion2;

        /// <summary>One member of the message. False where it is there twice: a splice would rewrite only one of them.</summary>
        public bool TryTake(ref Utf8JsonReader reader)
        {
            if (reader.ValueTextEquals("id"u8))
            {
                var ahead = reader;
                ahead.Read();
                IdIsNull = ahead.TokenType == JsonTokenType.Null && !IsSet(Id);
                if (!IdIsNull)
                {
                    return TryTakeId(ref reader, ref Id);
                }

                reader = ahead;
                Id = Value(ref reader);
                return true;
            }

            if (reader.ValueTextEquals("method"u8))
            {
                reader.Read();
                var first = Method is null && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= LongestMethod;
                Method = first ? reader.GetString() : null;
                return first;
            }

            if (reader.ValueTextEquals("params"u8))
            {
                reader.Read();
                var first = !HasParams;
                HasParams = true;
                return first && (reader.TokenType == JsonTokenType.StartObject ? TryTakeParams(ref reader) : reader.TrySkip());
            }

            if (reader.ValueTextEquals("jsonrpc"u8))
            {
                reader.Read();
                IsVersion2 = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("2.0"u8);
                return IsVersion2;
            }

            var (result, error) = (reader.ValueTextEquals("result"u8), reader.ValueTextEquals("error"u8));
            var twice = (result && HasResult) || (error && HasError);
            reader.Read();
            // JSON-RPC 1.0 has both members, and null in the one that does not apply.
            var isThere = reader.TokenType != JsonTokenType.Null;
            HasResult |= result && isThere;
            HasError |= error && isThere;
            reader.Skip();
            return !twice;
        }

        private bool TryTakeParams(ref Utf8JsonReader reader)
        {
            var hasMeta = false;
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                var good = true;
                if (reader.ValueTextEquals("_meta"u8))
                {
                    reader.Read();
                    good = !hasMeta && (reader.TokenType == JsonTokenType.StartObject ? TryTakeMeta(ref reader) : reader.TrySkip());
                    hasMeta = true;
                }
                else if (reader.ValueTextEquals("progressToken"u8))
                {
                    good = TryTakeId(ref reader, ref TopToken);
                }
                else if (reader.ValueTextEquals("requestId"u8))
                {
                    good = TryTakeId(ref reader, ref RequestId);
                }
                else if (reader.ValueTextEquals("uri"u8))
                {
                    reader.Read();
                    Uri = Value(ref reader);
                }
                else
                {
                    reader.Read();
                    reader.Skip();
                }

                if (!good)
                {
                    return false;
                }
            }

            return true;
        }

        private bool TryTakeMeta(ref Utf8JsonReader reader)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                if (reader.ValueTextEquals("progressToken"u8))
                {
                    if (!TryTakeId(ref reader, ref MetaToken))
                    {
                        return false;
                    }
                }
                else
                {
                    reader.Read();
                    reader.Skip();
                }
            }

            return true;
        }

        private static bool TryTakeId(ref Utf8JsonReader reader, ref Range target)
        {
            reader.Read();
            var first = !IsSet(target) && reader.TokenType is JsonTokenType.Number or JsonTokenType.String;
            target = Value(ref reader);
            return first && target.End.Value - target.Start.Value <= LongestId;
        }
    }
}
