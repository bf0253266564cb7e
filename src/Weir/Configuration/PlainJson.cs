using System.Text.Encodings.Web;
using System.Text.Json;

namespace Weir.Configuration;

/// <summary>
/// How Weir writes JSON that a client or a person reads: text as it is, in UTF-8. The default encoder escapes <c>'</c>, <c>&lt;</c> and
/// every letter outside ASCII (<c>\u0027</c>), for JSON inside HTML. Weir's answers are <c>application/json</c> or an event stream and are
/// never put into a page, so only what JSON itself requires is escaped: quotes, backslashes, control characters. Linked into the node's
/// agent.
/// </summary>
internal static class PlainJson
{
    public static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    public static readonly JsonWriterOptions Writing = new() { Encoder = Encoder };

    /// <summary>What a command prints: names as they are written in C#.</summary>
    public static readonly JsonSerializerOptions Line = new() { Encoder = Encoder };

    /// <summary>A text as a JSON string, quotes and all.</summary>
    public static byte[] Quote(string text) => [(byte)'"', .. JsonEncodedText.Encode(text, Encoder).EncodedUtf8Bytes, (byte)'"'];
}
