using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Weir.Definitions;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Gateway.Http;
using Weir.Gateway.Limits;
using Weir.Keys;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Endpoint;

/// <summary>
/// The last item of a page, by what lists are in order of. The next page begins with the first item behind it in that order, whether it
/// is still there or not: when a server is gone, no item of another is left out or listed twice.
/// </summary>
/// <param name="Name">The server's own name for it.</param>
internal sealed record ListCursor(int Priority, Guid InstanceId, string Name)
{
    public static ListCursor Of(AgentItem item) => new(item.Priority, item.InstanceId, item.Name);

    public bool IsBefore(AgentItem item)
    {
        var order = Priority.CompareTo(item.Priority);
        order = order != 0 ? order : InstanceId.CompareTo(item.InstanceId);
        // As PostgreSQL's collation "C" does: by bytes of UTF-8.
        return order != 0 ? order < 0 : Encoding.UTF8.GetBytes(Name).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(item.Name)) < 0;
    }
}

/// <summary>
/// The lists of what an agent may use: one statement says what is permitted, the replica adds the bytes. No server is asked. Cursors are
/// sealed and bound to who lists what.
/// </summary>
internal sealed class McpLists(AgentToolsCache toolsCache, DefinitionCache definitions, Keyring keyring, ByteBudget budget, int pageSize)
{
    /// <summary>A page ends behind the definition that reaches this many bytes, however few they are.</summary>
    private const long MaxPageBytes = 4 * 1024 * 1024;

    /// <summary>
    /// How many definitions are fetched before their bytes are counted; twice as many each time, as long as they are small.
    /// </summary>
    private const int FirstStep = 64;

    private const string Purpose = "mcp-cursor";

    /// <summary>What each listing method lists, and under which member of its result.</summary>
    private static readonly Dictionary<string, (string Kind, string Member)> Kinds = new(StringComparer.Ordinal)
    {
        [Methods.ToolsList] = (ItemKinds.Tool, "tools"),
        [Methods.PromptsList] = (ItemKinds.Prompt, "prompts"),
        [Methods.ResourcesList] = (ItemKinds.Resource, "resources"),
        [Methods.ResourceTemplatesList] = (ItemKinds.Template, "resourceTemplates"),
    };

    public async Task ListAsync(McpRequest request)
    {
        var (kind, member) = Kinds[request.Message.Method];
        var cursor = default(ListCursor);
        if (request.Message.Cursor is { } sealedCursor && (cursor = Open(request, sealedCursor)) is null)
        {
            await McpErrors.RefuseAsync(request.Http, new Refusal(
                request.Modern ? 400 : 200, RpcCodes.InvalidParams, "This cursor is not one that Weir gave for this list."), request.Id);
            return;
        }

        var tools = await McpMethods.LoadAsync(toolsCache, request);
        if (request.Scope.IsSearch && kind == ItemKinds.Tool)
        {
            await AnswerAsync(request, output => WriteSearch(output, request));
            return;
        }

        var all = Shown(tools, kind, request);
        var start = cursor is null ? 0 : Array.FindIndex(all, cursor.IsBefore) is >= 0 and var index ? index : all.Length;
        var (page, known) = await PageAsync(all[start..Math.Min(start + pageSize, all.Length)], request.Aborted);
        var next = start + page.Length < all.Length ? Seal(request, ListCursor.Of(page[^1])) : null;
        // Counted until the client has read it.
        using var account = budget.Open(tools.OrganizationId, long.MaxValue);
        if (account.TryTake(known.Sum(d => d?.Bytes ?? 0)) is null)
        {
            throw Denials.LimitReached();
        }

        await AnswerAsync(request, output => Write(output, request, member, page, known, next));
    }

    /// <summary>As many of the items as fit into one page, with their definitions.</summary>
    private async Task<(AgentItem[] Page, List<Definition?> Known)> PageAsync(AgentItem[] items, CancellationToken ct)
    {
        var known = new List<Definition?>(items.Length);
        var bytes = 0L;
        for (var step = FirstStep; known.Count < items.Length && bytes < MaxPageBytes; step = bytes < MaxPageBytes / 16 ? step * 2 : step)
        {
            foreach (var definition in await definitions.GetAsync(items[known.Count..Math.Min(known.Count + step, items.Length)], ct))
            {
                if (bytes >= MaxPageBytes)
                {
                    break;
                }

                known.Add(definition);
                bytes += definition?.Bytes ?? 0;
            }
        }

        return (items[..known.Count], known);
    }

    /// <summary>What fits into the lists of the client's era, and its server has for what the client offers.</summary>
    private static AgentItem[] Shown(AgentToolSet tools, string kind, McpRequest request)
    {
        var (era, offered) = (request.Era, request.Offered);
        return [.. tools.Items.Where(i => i.Kind == kind && i.IsFor(era) && i.IsThereFor(offered))];
    }

    private static async Task AnswerAsync(McpRequest request, Action<IBufferWriter<byte>> write)
    {
        request.Http.Response.ContentType = "application/json";
        write(request.Http.Response.BodyWriter);
        await request.Http.Response.BodyWriter.FlushAsync(request.Aborted);
    }

    private static void WriteSearch(IBufferWriter<byte> output, McpRequest request)
    {
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        output.Write(request.Id);
        output.Write(",\"result\":{\"tools\":"u8);
        output.Write(ToolSearch.List);
        WriteEnd(output, request);
    }

    private static void Write(
        IBufferWriter<byte> output, McpRequest request, string member, AgentItem[] items,
        IReadOnlyList<Definition?> definitions, string? next)
    {
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        output.Write(request.Id);
        output.Write(Encoding.UTF8.GetBytes($",\"result\":{{\"{member}\":["));
        var first = true;
        for (var i = 0; i < items.Length; i++)
        {
            if (definitions[i] is not { } definition)
            {
                continue;
            }

            if (!first)
            {
                output.Write(","u8);
            }

            first = false;
            definition.WriteTo(output, items[i].ExposedName, request.UiHost(items[i].InstanceName), request.Modern);
        }

        output.Write("]"u8);
        if (next is not null)
        {
            output.Write(Encoding.UTF8.GetBytes($",\"nextCursor\":\"{next}\""));
        }

        WriteEnd(output, request);
    }

    private static void WriteEnd(IBufferWriter<byte> output, McpRequest request)
    {
        if (request.Modern)
        {
            output.Write(","u8);
            output.Write(ServerDescription.CacheHints);
        }

        output.Write("}}"u8);
    }

    private string Seal(McpRequest request, ListCursor cursor) => Base64Url.EncodeToString(
        keyring.Seal(Purpose, JsonSerializer.SerializeToUtf8Bytes(cursor, CursorJson.Default.ListCursor), Binding(request)));

    private ListCursor? Open(McpRequest request, string text) =>
        Base64Url.IsValid(text) && keyring.TryOpen(Purpose, Base64Url.DecodeFromChars(text), Binding(request), out var plain)
            ? JsonSerializer.Deserialize(plain, CursorJson.Default.ListCursor)
            : null;

    private static byte[] Binding(McpRequest request) =>
        Encoding.UTF8.GetBytes($"{request.Scope.Principal.Name}\n{request.Scope.Path}\n{request.Message.Method}");
}
