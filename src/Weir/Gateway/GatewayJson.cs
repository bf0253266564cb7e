using System.Text.Json.Serialization;

namespace Weir.Gateway;

[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(Session))]
internal sealed partial class GatewayJson : JsonSerializerContext;
