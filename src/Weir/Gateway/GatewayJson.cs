using System.Text.Json;
using System.Text.Json.Serialization;
using Weir.Configuration;
using Weir.Gateway.Endpoint;
using Weir.Gateway.ServerRequests;

namespace Weir.Gateway;

[JsonSourceGenerationOptions(MaxDepth = JsonDepth.Wrapped)]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(Session))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(ParkTicket))]
[JsonSerializable(typeof(ListCursor))]
internal sealed partial class GatewayJson : JsonSerializerContext;
