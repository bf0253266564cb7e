using System.Text.Json;
using Weir.Configuration;

namespace Weir.Mcp;

/// <summary>The outside of a message that a server sent. Read leniently: it is JSON, and these are its parts.</summary>
internal readonly record struct ServerMessage
{
    public required MessageKind Kind { get; init; }

    public ByteRange Id { get; init; }

    public string Method { get; init; }

    public ByteRange Params { get; init; }

    public ByteRange Result { get; init; }

    public ByteRange Error { get; init; }

    /// <summary><c>result.isError</c> of a tool call.</summary>
    public bool IsToolError { get; init; }

    /// <summary><c>result.resultType</c>; null from legacy servers.</summary>
    public string? ResultType { get; init; }

    public int ErrorCode { get; init; }

    /// <summary>A response whose error is no object with an integer as its code and a text as its message.</summary>
    public bool IsMalformedError => Kind == MessageKind.Response && Error.Exists && !(HasErrorCode && HasErrorMessage);

    private bool HasErrorCode { get; init; }

    private bool HasErrorMessage { get; init; }

    /// <summary>The raw token of a progress notification.</summary>
    public ByteRange ProgressToken { get; init; }

    /// <exception cref="JsonException">It is not JSON, or not one JSON-RPC message.</exception>
    public static ServerMessage Read(ReadOnlySpan<byte> message)
    {
        var reader = new Utf8JsonReader(message, new JsonReaderOptions { MaxDepth = JsonDepth.Message });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("Not one JSON-RPC message.");
        }

        var fields = new ServerMessage { Kind = MessageKind.Response, Method = "" };
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            fields = fields.WithMember(ref reader);
        }

        if (fields.Method.Length > 0)
        {
            return fields with { Kind = fields.Id.Exists ? MessageKind.Request : MessageKind.Notification };
        }

        return fields.Result.Exists != fields.Error.Exists ? fields : throw new JsonException("Neither a result nor an error.");
    }

    private ServerMessage WithMember(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("id"u8))
        {
            return this with { Id = Skip(ref reader) };
        }

        if (reader.ValueTextEquals("method"u8))
        {
            reader.Read();
            return this with { Method = reader.GetString() ?? "" };
        }

        if (reader.ValueTextEquals("result"u8))
        {
            return WithResult(ref reader);
        }

        if (reader.ValueTextEquals("error"u8))
        {
            return WithError(ref reader);
        }

        if (reader.ValueTextEquals("params"u8))
        {
            var ahead = reader;
            if (ahead.Read() && ahead.TokenType == JsonTokenType.StartArray && ahead.Read() && ahead.TokenType == JsonTokenType.EndArray)
            {
                // So PHP writes an object without members.
                reader = ahead;
                return this;
            }

            return WithMembers(ref reader, static (ref inner, fields) => inner.ValueTextEquals("progressToken"u8)
                ? fields with { ProgressToken = Skip(ref inner) }
                : null, static (fields, range) => fields with { Params = range });
        }

        Skip(ref reader);
        return this;
    }

    private ServerMessage WithError(ref Utf8JsonReader reader)
    {
        var ahead = reader;
        ahead.Read();
        if (ahead.TokenType is not (JsonTokenType.StartObject or JsonTokenType.Null))
        {
            return this with { Error = Skip(ref reader) };
        }

        return WithMembers(
            ref reader,
            static (ref inner, fields) =>
            {
                if (inner.ValueTextEquals("code"u8))
                {
                    inner.Read();
                    var code = IntegerOf(ref inner);
                    return fields with { ErrorCode = code ?? 0, HasErrorCode = code is not null };
                }

                if (inner.ValueTextEquals("message"u8))
                {
                    inner.Read();
                    return fields with { HasErrorMessage = inner.TokenType == JsonTokenType.String };
                }

                return null;
            },
            static (fields, range) => fields with { Error = range });
    }

    /// <summary>A number of 32 bits, however it is written: <c>-32000.0</c> is one. Null for anything else.</summary>
    private static int? IntegerOf(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetDecimal(out var number)
            && number == decimal.Truncate(number) && number is >= int.MinValue and <= int.MaxValue
                ? (int)number : null;

    private ServerMessage WithResult(ref Utf8JsonReader reader) => WithMembers(
        ref reader,
        static (ref inner, fields) =>
        {
            if (inner.ValueTextEquals("isError"u8))
            {
                inner.Read();
                return fields with { IsToolError = inner.TokenType == JsonTokenType.True };
            }

            if (inner.ValueTextEquals("resultType"u8))
            {
                inner.Read();
                return fields with { ResultType = inner.TokenType == JsonTokenType.String ? inner.GetString() : "" };
            }

            return null;
        },
        static (fields, range) => fields with { Result = range });

    private delegate ServerMessage? Member(ref Utf8JsonReader reader, ServerMessage fields);

    /// <summary>Reads an object's members with <paramref name="member"/>, which says null for what it leaves to be skipped.</summary>
    private ServerMessage WithMembers(ref Utf8JsonReader reader, Member member, Func<ServerMessage, ByteRange, ServerMessage> done)
    {
        reader.Read();
        var fields = this;
        var start = (int)reader.TokenStartIndex;
        if (reader.TokenType == JsonTokenType.Null)
        {
            // JSON-RPC 1.0 has both members, and null in the one that does not apply.
            return fields;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("A part of the message that must be an object is none.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var taken = member(ref reader, fields);
            if (taken is null)
            {
                Skip(ref reader);
            }
            else
            {
                reader.Skip();
                fields = taken.Value;
            }
        }

        return done(fields, new ByteRange(start, (int)reader.BytesConsumed - start));
    }

    /// <summary>Skips the value behind the current key and returns its bytes.</summary>
    private static ByteRange Skip(ref Utf8JsonReader reader)
    {
        reader.Read();
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return new ByteRange(start, (int)reader.BytesConsumed - start);
    }
}
