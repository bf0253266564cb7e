using System.Text.Json;
using System.Text.Json.Serialization;
using Weir.Configuration;

namespace Weir.Gateway.Calls;

/// <summary>Parts of messages that are written anew.</summary>
[JsonSourceGenerationOptions(MaxDepth = JsonDepth.Wrapped)]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class CallJson : JsonSerializerContext;
