using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>
/// The calls of one answer, put together from their pieces. Providers differ in what they leave out of a piece: the index, the id, the
/// name, or all but the arguments; some repeat the name in each, some give every call the index 0.
/// </summary>
internal sealed class CallParts
{
    private readonly List<Call> _calls = [];
    private readonly Dictionary<long, Call> _byIndex = [];

    private sealed class Call
    {
        public string Id = "";
        public string Name = "";
        public readonly StringBuilder Arguments = new();

        /// <summary>The arguments came as JSON, not as pieces of text.</summary>
        public bool IsGiven;
    }

    /// <param name="index">The call's number in the answer; null where the provider does not say.</param>
    /// <param name="arguments">A piece of their text, or all of them as JSON.</param>
    public void Add(long? index, string id, string name, JsonElement arguments)
    {
        var call = Find(index, id, name, arguments);
        call.Id = call.Id.Length > 0 ? call.Id : id;
        call.Name = call.Name.Length > 0 ? call.Name : name;
        if (arguments.ValueKind == JsonValueKind.String)
        {
            // Some endpoints give them whole first, and then in pieces once more.
            if (call.IsGiven && !IsBlank(arguments))
            {
                call.IsGiven = false;
                call.Arguments.Clear();
            }

            call.Arguments.Append(arguments.Text());
        }
        else if (arguments.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null))
        {
            call.IsGiven = true;
            call.Arguments.Clear().Append(arguments.GetRawText());
        }
    }

    /// <summary>All of them, in the order in which they began.</summary>
    public IEnumerable<AIContent> Read() => _calls.Select((c, i) => ModelArguments.Read(
        c.Id.Length > 0 ? c.Id : $"call_{i + 1}", c.Name.Length > 0 ? c.Name : "unknown", c.Arguments.ToString()));

    private Call Find(long? index, string id, string name, JsonElement arguments)
    {
        var known = index is { } number ? _byIndex.GetValueOrDefault(number)
            : id.Length > 0
                ? _calls.Find(c => c.Id == id)
                    ?? (_calls is [.., var last] && (last.Id.Length == 0 || name.Length == 0) && !Begins(last, index, id, name, arguments)
                        ? last : null)
            : _calls.LastOrDefault();
        if (known is null && index is { } at
            && _calls.Find(c => id.Length > 0 && c.Id == id && (name.Length == 0 || name == c.Name) && !IsWhole(c)) is { } same)
        {
            // The rest of a call, under another number.
            return _byIndex[at] = same;
        }

        if (known is not null && !Begins(known, index, id, name, arguments))
        {
            return known;
        }

        var begun = new Call();
        _calls.Add(begun);
        if (index is { } place)
        {
            _byIndex[place] = begun;
        }

        return begun;
    }

    /// <summary>Whether a piece is the first of another call, although it does not say so by its index.</summary>
    private static bool Begins(Call known, long? index, string id, string name, JsonElement arguments) =>
        // Some endpoints make a new id for each piece, but a name only for the first.
        (id.Length > 0 && known.Id.Length > 0 && id != known.Id && (name.Length > 0 || IsWhole(known)))
        || (id.Length == 0 && name.Length > 0 && known.Name.Length > 0
            && ((index is null && name != known.Name)
                || ((name != known.Name || arguments.ValueKind == JsonValueKind.Object || !IsBlank(arguments)) && IsWhole(known))));

    private static bool IsBlank(JsonElement arguments) => string.IsNullOrWhiteSpace(arguments.Text());

    private static bool IsWhole(Call call)
    {
        var text = call.Arguments.ToString();
        if (!text.AsSpan().TrimEnd().EndsWith("}"))
        {
            return false;
        }

        try
        {
            return JsonElement.Parse(text, ModelJson.Reading).ValueKind == JsonValueKind.Object;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return false;
        }
    }
}
