using System.Text.Json.Serialization;
using Weir.Configuration;

namespace Weir.Gateway.Endpoint;

/// <summary>What a cursor holds, sealed.</summary>
[JsonSourceGenerationOptions(MaxDepth = JsonDepth.Wrapped)]
[JsonSerializable(typeof(ListCursor))]
internal sealed partial class CursorJson : JsonSerializerContext;
