using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weir.Configuration;

namespace Weir.Definitions;

/// <summary>
/// Whether clients accept an item in a list. Strict clients reject a whole list for one item that does not have the form which
/// their version of the protocol requires, so such an item is left out. Where the intended form is certain, the item is mended.
/// docs/mcp.md has the rules.
/// </summary>
/// <param name="Eras">The eras whose clients may be shown the item.</param>
/// <param name="Fault">Why it is not all eras; null: it is.</param>
internal sealed record ItemShape(IReadOnlyList<string> Eras, ItemFault? Fault)
{
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = JsonDepth.Message };

    /// <summary>Text stays as readable as the server wrote it.</summary>
    private static readonly JsonWriterOptions WriterOptions =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = JsonDepth.Message };

    public static readonly ItemShape Fits = new([Definitions.Eras.Legacy, Definitions.Eras.Modern], Fault: null);

    /// <param name="kind">One of <see cref="ItemKinds"/>.</param>
    /// <param name="definition">The item's JSON, an object.</param>
    public static ItemShape Of(string kind, string definition)
    {
        var legacy = Check(kind, definition, modern: false).Fault;
        var modern = Check(kind, definition, modern: true).Fault;
        if (modern is not null)
        {
            // What is wrong for modern clients is wrong for all others too.
            return new ItemShape([], modern);
        }

        if (legacy is not null)
        {
            return new ItemShape(
                [Definitions.Eras.Modern], legacy with { Reason = legacy.Reason + " It is listed only to clients of 2026-07-28." });
        }

        return kind == ItemKinds.Tool && NeedsTask(definition)
            ? new ItemShape([], new ItemFault(
                ItemFault.Unsupported, "execution.taskSupport", "The tool can only be called as a task, and Weir has no tasks."))
            : Fits;
    }

    /// <summary>
    /// What clients of an era are shown: the server's own bytes, or the mended form of an item that would not fit otherwise.
    /// </summary>
    public static byte[] Shown(string kind, string definition, bool modern)
    {
        var rules = Check(kind, definition, modern);
        if (!rules.IsMended || rules.Fault is not null)
        {
            return Encoding.UTF8.GetBytes(definition);
        }

        var output = new ArrayBufferWriter<byte>(definition.Length);
        using (var json = new Utf8JsonWriter(output, WriterOptions))
        {
            rules.Item.WriteTo(json);
        }

        return output.WrittenSpan.ToArray();
    }

    private static ItemRules Check(string kind, string definition, bool modern)
    {
        var rules = new ItemRules((JsonObject)JsonNode.Parse(definition, documentOptions: Options)!, modern);
        rules.Apply(kind);
        return rules;
    }

    private static bool NeedsTask(string definition) =>
        JsonElement.Parse(definition, Options) is var item
            && item.TryGetProperty("execution", out var execution) && execution.ValueKind == JsonValueKind.Object
            && execution.TryGetProperty("taskSupport", out var support) && support.ValueEquals("required"u8);
}
