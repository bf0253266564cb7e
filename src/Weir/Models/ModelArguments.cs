using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Weir.Configuration;

namespace Weir.Models;

/// <summary>Arguments of a call that cannot be sent. The message is for the model and for the person: it repeats nothing of them.</summary>
internal sealed class ModelArgumentsException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The arguments of one call, as a model wrote them.</summary>
internal static class ModelArguments
{
    private const int MaxBytes = 256 * 1024;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = JsonDepth.Message, AllowDuplicateProperties = false };

    /// <summary>
    /// A call with its arguments; or with the reason why it is refused, and none. Nothing at all, and <c>null</c>, are <c>{}</c>.
    /// </summary>
    public static FunctionCallContent Read(string id, string name, string text)
    {
        try
        {
            return new FunctionCallContent(id, name, string.IsNullOrWhiteSpace(text) ? Empty() : Parse(text));
        }
        catch (ModelArgumentsException e)
        {
            return new FunctionCallContent(id, name, Empty()) { Exception = e };
        }
    }

    private static Dictionary<string, object?> Empty() => new(StringComparer.Ordinal);

    private static Dictionary<string, object?> Parse(string text)
    {
        if (Encoding.UTF8.GetByteCount(text) > MaxBytes)
        {
            throw Refused($"are larger than {MaxBytes} bytes");
        }

        try
        {
            var json = JsonElement.Parse(text, Strict);
            return json.ValueKind switch
            {
                JsonValueKind.Object => json.EnumerateObject().ToDictionary(m => m.Name, m => (object?)m.Value, StringComparer.Ordinal),
                JsonValueKind.Null => Empty(),
                _ => throw Refused("are not a JSON object"),
            };
        }
        catch (JsonException e)
        {
            throw Refused(
                e.Message.Contains("maximum configured depth", StringComparison.Ordinal)
                    ? $"are nested deeper than {JsonDepth.Message} levels"
                : e.Message.Contains("uplicate", StringComparison.Ordinal) ? "hold the same key twice"
                : "are not a JSON object",
                e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            throw Refused("hold text that is not Unicode", e);
        }
    }

    private static ModelArgumentsException Refused(string what, Exception? inner = null) =>
        new($"The arguments of the call {what}; nothing was called.", inner);
}
