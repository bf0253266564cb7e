using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Weir.Models;

/// <summary>One event of a provider's stream.</summary>
/// <param name="Type">The event's type; empty where it has none.</param>
/// <param name="Data">An object; undefined at <c>[DONE]</c>.</param>
internal readonly record struct ModelEvent(string Type, JsonElement Data)
{
    public bool IsDone => Data.ValueKind == JsonValueKind.Undefined;
}

/// <summary>
/// Reads server-sent events. What is no object, such as a ping's text, says nothing. The last event needs no empty line behind it.
/// </summary>
internal static class ModelEvents
{
    private const string Done = "[DONE]";

    /// <exception cref="JsonException">An event is not JSON.</exception>
    public static async IAsyncEnumerable<ModelEvent> ReadAsync(Stream stream, [EnumeratorCancellation] CancellationToken ct)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var (type, data) = ("", new StringBuilder());
        while (await reader.ReadLineAsync(ct) is { } line)
        {
            if (line.Length > 0)
            {
                Take(line, ref type, data);
                continue;
            }

            if (Read(type, data.ToString()) is { } read)
            {
                yield return read;
            }

            type = "";
            data.Clear();
        }

        if (Last(type, data.ToString()) is { } last)
        {
            yield return last;
        }
    }

    private static void Take(string line, ref string type, StringBuilder data)
    {
        var colon = line.IndexOf(':', StringComparison.Ordinal);
        var (field, value) = colon < 0 ? (line, "") : (line[..colon], line[(colon + 1)..]);
        value = value.StartsWith(' ') ? value[1..] : value;
        switch (field)
        {
            case "event":
                type = value;
                break;
            case "data":
                data.Append(data.Length > 0 ? "\n" : "").Append(value);
                break;
        }
    }

    private static ModelEvent? Read(string type, string data) => data.Trim() switch
    {
        Done => new ModelEvent(type, default),
        ['{', ..] json => new ModelEvent(type, JsonElement.Parse(json, ModelJson.Reading)),
        _ => null,
    };

    /// <summary>A stream that breaks in the middle of an event ends with half of it.</summary>
    private static ModelEvent? Last(string type, string data)
    {
        try
        {
            return Read(type, data);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
