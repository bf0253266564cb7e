using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Configuration;
using Weir.Definitions;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Http;
using Weir.Mcp;

namespace Weir.Gateway.Endpoint;

/// <summary>
/// <c>/mcp?tools=search</c>: two tools in the place of many. <c>find_tools</c> answers with the definitions of what the agent may call and
/// the query means; <c>call_tool</c> is the call itself, decided, recorded and answered as if it had been made by its name.
/// </summary>
internal sealed class ToolSearch(AgentToolsQueries queries, AgentToolsReadLimiter reads, DefinitionCache definitions, McpConfig config)
{
    public const string FindTools = "find_tools";
    public const string CallTool = "call_tool";
    private const int DefaultLimit = 10;
    private const int MaxLimit = 50;

    /// <summary>Further tools are left out, and <c>leftOut</c> says so: the answer holds them twice.</summary>
    private const int MaxBytes = 1024 * 1024;

    /// <summary>Both definitions, as a list shows them.</summary>
    public static ReadOnlySpan<byte> List => """
        [{"name":"find_tools","title":"Find tools","description":"Finds tools by what they do. Answers with each tool's name, description and input schema; call one with call_tool.","inputSchema":{"type":"object","properties":{"query":{"type":"string","description":"What the tool should do, in a few words."},"limit":{"type":"integer","minimum":1,"maximum":50,"description":"Most tools in the answer. Default: 10."}},"required":["query"]},"annotations":{"readOnlyHint":true}},{"name":"call_tool","title":"Call a tool","description":"Calls a tool that find_tools has found.","inputSchema":{"type":"object","properties":{"name":{"type":"string","description":"The tool's name, as find_tools gave it."},"arguments":{"type":"object","description":"The tool's own arguments, as its input schema wants them."}},"required":["name"]}}]
        """u8;

    /// <summary>Answers <c>find_tools</c>; the statement proves the key.</summary>
    public async Task FindAsync(McpRequest request)
    {
        using var arguments = JsonDocument.Parse(
            request.Message.Arguments.Exists ? request.Message.Arguments.Of(request.Body) : "{}"u8.ToArray(),
            new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        if (!arguments.RootElement.TryGetProperty("query", out var query) || query.ValueKind != JsonValueKind.String
            || query.GetString() is not { Length: > 0 and <= 1000 } words)
        {
            await AnswerAsync(request, "query is missing, empty or longer than 1,000 characters.", tools: null);
            return;
        }

        var limit = arguments.RootElement.TryGetProperty("limit", out var most) && most.ValueKind == JsonValueKind.Number
            && most.TryGetInt32(out var given)
                ? Math.Clamp(given, 1, MaxLimit) : DefaultLimit;
        var found = await FindAsync(request, words, limit);
        var items = found.Select(f => new AgentItem(
            f.InstanceId, f.InstanceName, ItemKinds.Tool, f.Name,
            ExposedNames.Make(f.InstanceName, f.InstanceId, f.Name, config.MaxNameLength), f.Hash, ChatOffline: false)).ToArray();
        var tools = Describe(request, items, found, await definitions.GetAsync(items, request.Aborted));
        await AnswerAsync(request, Encoding.UTF8.GetString(tools.Span), tools);
    }

    /// <summary>In a turn, as a list is read: the statement matches the same globs with the same names.</summary>
    private async Task<IReadOnlyList<AgentToolsQueries.FoundTool>> FindAsync(McpRequest request, string words, int limit)
    {
        var principal = request.Scope.Principal;
        using var permit = await reads.EnterAsync(principal, request.Aborted);
        var found =
            await queries.FindToolsAsync(principal, words, limit, request.Era, ClientAbilities.Of(request.Offered), request.Aborted);
        if (found.Count == 0 && await queries.OrganizationOfAsync(principal, request.Aborted) is null)
        {
            reads.Forget(principal);
            throw principal.Refused();
        }

        return found;
    }

    /// <summary>The call that <c>call_tool</c> stands for, as a request of its own; null where its arguments name none.</summary>
    public static McpRequest? Unwrap(McpRequest request, int maxDepth)
    {
        if (!request.Message.Arguments.Exists)
        {
            return null;
        }

        using var arguments =
            JsonDocument.Parse(request.Message.Arguments.Of(request.Body), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        var inner = arguments.RootElement;
        if (!inner.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String
            || (inner.TryGetProperty("arguments", out var given) && given.ValueKind != JsonValueKind.Object))
        {
            return null;
        }

        var body = Rebuild(request, name, given);
        return new McpRequest(request.Http, request.Scope, body, ClientMessageReader.Read(body.Span, maxDepth))
        {
            Modern = request.Modern,
            Session = request.Session,
            SessionAffinity = request.SessionAffinity,
        };
    }

    /// <summary>
    /// The same request with what <c>call_tool</c> was given in the place of <c>call_tool</c>; the inner arguments are the caller's bytes.
    /// </summary>
    private static ReadOnlyMemory<byte> Rebuild(McpRequest request, JsonElement name, JsonElement arguments)
    {
        var output = new ArrayBufferWriter<byte>(request.Body.Length);
        using (var json = new Utf8JsonWriter(output, PlainJson.Writing))
        {
            json.WriteStartObject();
            json.WriteString("jsonrpc"u8, "2.0"u8);
            json.WritePropertyName("id"u8);
            json.WriteRawValue(request.Id);
            json.WriteString("method"u8, Methods.ToolsCall);
            json.WriteStartObject("params"u8);
            json.WriteString("name"u8, name.GetString());
            if (arguments.ValueKind == JsonValueKind.Object)
            {
                json.WritePropertyName("arguments"u8);
                json.WriteRawValue(arguments.GetRawText(), skipInputValidation: true);
            }

            WriteRaw(json, "inputResponses", request.Message.InputResponses, request);
            if (request.Message.RequestState is { } state)
            {
                json.WriteString("requestState"u8, state);
            }

            WriteRaw(json, "_meta", request.Message.Meta, request);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return output.WrittenMemory;
    }

    private static void WriteRaw(Utf8JsonWriter json, string name, ByteRange range, McpRequest request)
    {
        if (range.Exists)
        {
            json.WritePropertyName(name);
            json.WriteRawValue(range.Of(request.Body.Span), skipInputValidation: true);
        }
    }

    private static ReadOnlyMemory<byte> Describe(
        McpRequest request, AgentItem[] items, IReadOnlyList<AgentToolsQueries.FoundTool> found, IReadOnlyList<Definition?> definitions)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        output.Write("{\"tools\":["u8);
        var first = true;
        var leftOut = 0;
        for (var i = 0; i < items.Length; i++)
        {
            if (definitions[i] is not { } definition)
            {
                continue;
            }

            if (output.WrittenCount + definition.Bytes > MaxBytes)
            {
                leftOut++;
                continue;
            }

            output.Write(first ? "{\"status\":"u8 : ",{\"status\":"u8);
            output.Write(PlainJson.Quote(found[i].Status));
            output.Write(",\"tool\":"u8);
            definition.WriteTo(output, items[i].ExposedName, request.UiHost(items[i].InstanceName), request.Modern);
            output.Write("}"u8);
            first = false;
        }

        output.Write("]"u8);
        if (leftOut > 0)
        {
            output.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"leftOut\":{leftOut}")));
        }

        output.Write("}"u8);
        return output.WrittenMemory;
    }

    private static Task AnswerAsync(McpRequest request, string text, ReadOnlyMemory<byte>? tools) => McpMethods.AnswerAsync(request, json =>
    {
        json.WriteStartObject();
        if (request.Modern)
        {
            json.WriteString("resultType"u8, "complete"u8);
        }

        json.WriteStartArray("content"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "text"u8);
        json.WriteString("text"u8, text);
        json.WriteEndObject();
        json.WriteEndArray();
        if (tools is { } found)
        {
            json.WritePropertyName("structuredContent"u8);
            json.WriteRawValue(found.Span, skipInputValidation: true);
        }
        else
        {
            json.WriteBoolean("isError"u8, true);
        }

        json.WriteEndObject();
    });
}
