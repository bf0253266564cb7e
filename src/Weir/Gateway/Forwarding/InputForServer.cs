using System.Buffers;
using System.Text.Json;
using Weir.Configuration;
using Weir.Gateway.Calls;
using Weir.Gateway.ServerRequests;
using Weir.Upstream;

namespace Weir.Gateway.Forwarding;

/// <summary>
/// What a modern server gets beside a legacy client's call: the client's answers, and the state that it gave with its questions.
/// </summary>
/// <param name="Responses">A JSON object, one member for each question; empty: none.</param>
/// <param name="State">The server's own words; null: none.</param>
internal readonly record struct InputForServer(ReadOnlyMemory<byte> Responses, string? State)
{
    /// <summary>More questions than this in one round are a server's fault.</summary>
    private const int MaxRequests = 32;

    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    /// <summary>Puts a modern server's questions to a legacy client.</summary>
    /// <exception cref="UpstreamException">It asks what the client did not offer, or nothing at all.</exception>
    public static async Task<InputForServer> AskAsync(
        GovernedCall call, UpstreamMessage message, ICallResponder responder, PausableDeadline deadline, ByteAccount account,
        TimeProvider time,
        CancellationToken ct)
    {
        using var document =
            JsonDocument.Parse(message.Fields.Result.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        var result = document.RootElement;
        var state = result.TryGetProperty("requestState", out var given) && given.ValueKind == JsonValueKind.String
            ? given.GetString() : null;
        if (message.Fields.ResultType != "input_required" || !result.TryGetProperty("inputRequests", out var requests))
        {
            return message.Fields.ResultType == "input_required" && state is not null
                ? await LaterAsync(state, time, ct)
                : throw new UpstreamException(UpstreamFailure.Nonsense, "The server's result is of a type that Weir does not know.");
        }

        var asked = requests.ValueKind == JsonValueKind.Object ? requests.EnumerateObject().ToArray() : [];
        if (asked.Length is 0 or > MaxRequests)
        {
            throw new UpstreamException(UpstreamFailure.Nonsense, "The server asked for input without a question, or with too many.");
        }

        deadline.Pause();
        try
        {
            var answers = await Task.WhenAll(asked.Select(request => AskOneAsync(call, request, responder, account, ct)));
            return new InputForServer(Write(asked, answers), state);
        }
        finally
        {
            deadline.Resume();
        }
    }

    /// <summary>A state without a question: the server wants to be asked again.</summary>
    private static async Task<InputForServer> LaterAsync(string state, TimeProvider time, CancellationToken ct)
    {
        await Task.Delay(RetryAfter, time, ct);
        return new InputForServer(default, state);
    }

    private static async Task<ClientResponse> AskOneAsync(
        GovernedCall call, JsonProperty request, ICallResponder responder, ByteAccount account, CancellationToken ct)
    {
        var method = request.Value.ValueKind == JsonValueKind.Object && request.Value.TryGetProperty("method", out var named)
            && named.ValueKind == JsonValueKind.String
                ? named.GetString()! : "";
        if (!call.Offered.Offers(method))
        {
            throw new UpstreamException(UpstreamFailure.Nonsense, "The server asked the client for input that the client did not offer.");
        }

        ReadOnlyMemory<byte> parameters = request.Value.TryGetProperty("params", out var given)
            ? JsonSerializer.SerializeToUtf8Bytes(given, CallJson.Default.JsonElement)
            : "{}"u8.ToArray();
        ClientResponse answer;
        try
        {
            answer = await responder.AskAsync(method, parameters, ct);
        }
        catch (TimeoutException)
        {
            answer = ServerRequestRelay.NoAnswer(method);
        }

        account.Take(answer.Result.Length);
        return answer.IsError
            ? throw new UpstreamException(UpstreamFailure.Nonsense, $"The client refused {method}, which the server wants to go on.")
            : answer;
    }

    private static ReadOnlyMemory<byte> Write(JsonProperty[] asked, ClientResponse[] answers)
    {
        var output = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            for (var i = 0; i < asked.Length; i++)
            {
                json.WritePropertyName(asked[i].Name);
                json.WriteRawValue(answers[i].Result.Span, skipInputValidation: true);
            }

            json.WriteEndObject();
        }

        return output.WrittenMemory;
    }
}
