using System.Text.Json.Serialization;
using Weir.Configuration;

namespace Weir.Gateway.Http;

/// <summary>What a session id holds, sealed.</summary>
[JsonSourceGenerationOptions(MaxDepth = JsonDepth.Wrapped)]
[JsonSerializable(typeof(Session))]
internal sealed partial class SessionJson : JsonSerializerContext;
