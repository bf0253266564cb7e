using System.Buffers;
using System.Text;
using System.Text.Json;
using Weir.Chat.Tools;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Mcp;

namespace Weir.Chat.Gathering;

/// <summary>One resource or prompt that a turn asks a server for, as a JSON-RPC request like any client's.</summary>
/// <param name="Kind"><c>resource</c> or <c>prompt</c>.</param>
/// <param name="Item">The server's own URI or name.</param>
/// <param name="ExposedName">As on <c>/mcp</c>, by which the call finds its server.</param>
internal sealed record ContextRequest(
    ServerSettings Server, string Kind, string Item, string ExposedName, IReadOnlyDictionary<string, string> Arguments)
{
    private const string Placeholder = "{message}";

    /// <summary>Longest text that takes the place of <c>{message}</c> in a URI. Characters.</summary>
    private const int MaxInUri = 300;

    private static readonly IReadOnlyDictionary<string, string> NoArguments = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>For people: <c>resource 'file:///a' of the server 'notes'</c>.</summary>
    public string Subject => $"{Kind} '{Item}' of the server '{Server.Name}'";

    public static ContextRequest OfResource(ServerSettings server, string template, string message)
    {
        var uri = template.Replace(Placeholder, Words(message), StringComparison.Ordinal);
        return new ContextRequest(server, ContextKinds.Resource, uri, ResourceUris.Map(server.Name, uri), NoArguments);
    }

    /// <param name="arguments">Of the definition; a prompt that takes a <c>message</c> gets the person's.</param>
    public static ContextRequest OfPrompt(
        ServerSettings server, string name, string exposedName, IEnumerable<string> arguments, string message) => new(
        server, ContextKinds.Prompt, name, exposedName,
        arguments.Contains("message", StringComparer.Ordinal)
            ? new Dictionary<string, string>(StringComparer.Ordinal) { ["message"] = message } : NoArguments);

    public GovernedCall Call(Principal principal, Guid turnId, TimeSpan deadline)
    {
        var body = Body(turnId);
        return new GovernedCall
        {
            Principal = principal,
            Kind = Kind == ContextKinds.Resource ? CallKinds.Resource : CallKinds.Prompt,
            IsContext = true,
            ExposedName = ExposedName,
            Body = body,
            Message = ClientMessageReader.Read(body.Span),
            RequestId = turnId.ToString(),
            SessionAffinity = "chat/" + principal.Name,
            Deadline = deadline,
        };
    }

    /// <summary>
    /// The person's words as one segment of a URI: what could make it another path (<c>/ \ %</c>) or break it is a space.
    /// </summary>
    private static string Words(string message)
    {
        var words = new StringBuilder(MaxInUri);
        foreach (var rune in message.EnumerateRunes().TakeWhile(_ => words.Length < MaxInUri))
        {
            var isPlain = !Rune.IsControl(rune) && !Rune.IsWhiteSpace(rune) && rune.Value is not ('/' or '\\' or '%');
            if (isPlain)
            {
                words.Append(rune.ToString());
            }
            else if (words.Length > 0 && words[^1] != ' ')
            {
                words.Append(' ');
            }
        }

        return Uri.EscapeDataString(words.ToString().Trim());
    }

    private ReadOnlyMemory<byte> Body(Guid turnId)
    {
        var body = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("jsonrpc"u8, "2.0"u8);
            json.WriteString("id"u8, turnId.ToString());
            json.WriteString("method"u8, Kind == ContextKinds.Resource ? Methods.ResourcesRead : Methods.PromptsGet);
            json.WriteStartObject("params"u8);
            json.WriteString(Kind == ContextKinds.Resource ? "uri"u8 : "name"u8, ExposedName);
            if (Arguments.Count > 0)
            {
                json.WriteStartObject("arguments"u8);
                foreach (var (name, value) in Arguments)
                {
                    json.WriteString(name, value);
                }

                json.WriteEndObject();
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return body.WrittenMemory;
    }
}
