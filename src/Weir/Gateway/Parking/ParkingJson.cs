using System.Text.Json.Serialization;
using Weir.Configuration;

namespace Weir.Gateway.Parking;

/// <summary>What a request state holds, sealed.</summary>
[JsonSourceGenerationOptions(MaxDepth = JsonDepth.Wrapped)]
[JsonSerializable(typeof(ParkTicket))]
internal sealed partial class ParkingJson : JsonSerializerContext;
